"""The evidence of findings: everything that a court would have to see of them, taken from the published files.

For each finding the headers it is about with their nets and their attesters' signatures; the leaves that contradict
each other with event, postings, salts and path (the one that was found, the one it points to, the one that it should
have pointed to); the account's rows before and after, or the two rows between which a missing one would stand; a
merchant's receipt. They are the same exhibits (`proofs.exhibits`) that answers to demands have; which fraud proof takes
them is the finding's `fraudCode`. Invariants: made after the verdict and without any influence on it; bounded; where
a file cannot be had or is not its header's, that is said. Called by `audit`. Source: protocol §4.4, §6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auditor.chain import Commit
from auditor.fetch import Missing, Source, Substituted
from auditor.findings import Finding, shown
from auditor.registry import Registry
from proofs.accounts import LANE, MEMBER
from proofs.exhibits import ExhibitError, OpenBatch
from proofs.json_form import to_json
from proofs.lpb1 import FileError, Record, open_file

EXHIBITED_PER_CODE_MAX = 8
"""Findings of one code that come with evidence: each of them is enough, and a false batch may have thousands."""
OPEN_BATCHES_MAX = 2
_ABSENT = frozenset({"row-missing", "row-new", "account-without-row"})
"""Findings about an account that has no row where it should, or had none before."""
_SIGNATURES, _TERMS = 9, 12


@dataclass(slots=True)
class Exhibits:
    """All of it, each once; `of` names by the finding's place in the list what belongs to it."""

    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    leaves: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    of: dict[int, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it stands in the report."""
        return {"headers": self.headers, "leaves": self.leaves, "rows": self.rows}


def gather(findings: Sequence[Finding], commits: Sequence[Commit], source: Source, registry: Registry) -> Exhibits:
    """The evidence of the first findings of each code."""
    found = Exhibits()
    desk = _Desk(commits, source, registry, found)
    count: Counter[str] = Counter()
    chosen: list[tuple[int, Finding]] = []
    for at, finding in enumerate(findings):
        count[finding.code] += 1
        if count[finding.code] <= EXHIBITED_PER_CODE_MAX:
            chosen.append((at, finding))
    for at, finding in sorted(chosen, key=lambda each: each[1].batch_no):
        found.of[at] = desk.evidence(finding)
    return found


class _Desk:
    """Batches opened as they are asked for, a few at a time."""

    def __init__(self, commits: Sequence[Commit], source: Source, registry: Registry, into: Exhibits) -> None:
        self._commits = {commit.header.batch_no: commit for commit in commits}
        self._source = source
        self._registry = registry
        self._into = into
        self._open: dict[int, OpenBatch | str] = {}
        self._lacking: list[str] = []

    def evidence(self, finding: Finding) -> dict[str, Any]:
        """What belongs to one finding, by name."""
        self._lacking = []
        numbers = self._batches(finding)
        leaves = [str(leaf_no) for leaf_no in self._leaf_numbers(finding) if self._put_leaf(leaf_no)]
        batches = {*numbers, *(int(self._into.leaves[leaf_no]["batchNo"]) for leaf_no in leaves)}
        told: dict[str, Any] = {
            "headers": [self._put_header(no) for no in sorted(batches)],
            "leaves": leaves,
            "rows": [name for no in numbers for name in self._put_rows(finding, no)],
            **dict(finding.attached),
            **self._registered(finding),
        }
        told = {name: value for name, value in told.items() if value}
        return told | ({"lacking": self._lacking} if self._lacking else {})

    def _batches(self, finding: Finding) -> list[int]:
        """The batch itself, the one that it opens from, and the one that its nets count from."""
        commit = self._commits.get(finding.batch_no)
        if commit is None:
            return []
        wanted = [finding.batch_no, finding.batch_no - 1]
        if finding.code == "net-wrong":
            wanted.append(commit.header.nets_since_batch)
        return sorted({no for no in wanted if no in self._commits})

    def _leaf_numbers(self, finding: Finding) -> list[int]:
        """The leaf that was found, those that the finding names beside it, and the one it points to."""
        wanted = [*([] if finding.leaf_no is None else [finding.leaf_no]), *finding.also]
        if finding.leaf_no is not None and finding.account is not None:
            record = self._record(finding.leaf_no)
            wanted += [] if record is None else [_pointer(record, bytes.fromhex(finding.account[2:]))]
        return [leaf_no for leaf_no in dict.fromkeys(wanted) if leaf_no > 0]

    def _put_header(self, batch_no: int) -> str:
        commit, name = self._commits[batch_no], str(batch_no)
        self._into.headers[name] = {
            "header": to_json(commit.header),
            "headerHash": shown(commit.header_hash),
            "nets": [[str(merchant), str(amount)] for merchant, amount in commit.nets or ()],
            "attestations": list(_attestations(commit)),
        }
        return name

    def _put_leaf(self, leaf_no: int) -> bool:
        opened = self._batch_of(leaf_no)
        exhibit = None if opened is None else opened.leaf(leaf_no)
        if exhibit is not None:
            self._into.leaves[str(leaf_no)] = exhibit
        return exhibit is not None

    def _put_rows(self, finding: Finding, batch_no: int) -> Iterator[str]:
        """The account's row in this batch, or the rows around its place; with the one before it where the order is
        wrong.
        """
        if finding.account is None or int(finding.account[2:4], 16) == MEMBER:
            return
        account, opened = bytes.fromhex(finding.account[2:]), self._opened(batch_no)
        if opened is None:
            return
        row, place = opened.row(account), opened.place_of(account)
        shown_rows = [row] if row is not None else opened.around(account) if finding.code in _ABSENT else []
        if finding.code == "row-order" and place:
            shown_rows.append(opened.row_at(place - 1))
        for each in shown_rows:
            name = f"{batch_no}:{each['index']}"  # by its place: an account may have two rows, which is the finding
            self._into.rows[name] = each
            yield name

    def _registered(self, finding: Finding) -> Mapping[str, Any]:
        """What the registry says of the key or the terms that a leaf was judged by."""
        record = None if finding.leaf_no is None else self._record(finding.leaf_no)
        if record is None:
            return {}
        event = record.event
        key, terms = (
            self._registry.keys.get((event.merchant_id, event.key_id)),
            self._registry.terms.get(event.terms_id),
        )
        if finding.rule.check == _SIGNATURES and key is not None:
            told = {"signer": shown(key.signer), "kindMask": str(key.kind_mask)}
            return {"key": told | {"fromBatch": str(key.from_batch), "toBatch": str(key.to_batch)}}
        if finding.rule.check == _TERMS and terms is not None:
            return {"terms": {name: str(getattr(terms, name)) for name in terms.__dataclass_fields__}}
        return {}

    def _record(self, leaf_no: int) -> Record | None:
        opened = self._batch_of(leaf_no)
        return None if opened is None else opened.record(leaf_no)

    def _batch_of(self, leaf_no: int) -> OpenBatch | None:
        for commit in self._commits.values():
            header = commit.header
            if header.first_leaf_no <= leaf_no < header.first_leaf_no + header.leaf_count:
                return self._opened(header.batch_no)
        return None

    def _opened(self, batch_no: int) -> OpenBatch | None:
        """The batch, or a note why it is not among the evidence."""
        if batch_no not in self._open:
            while len(self._open) >= OPEN_BATCHES_MAX:
                del self._open[next(iter(self._open))]
            self._open[batch_no] = self._read(batch_no)
        found = self._open[batch_no]
        if isinstance(found, str):
            self._lacking += [] if found in self._lacking else [found]
            return None
        return found

    def _read(self, batch_no: int) -> OpenBatch | str:
        header = self._commits[batch_no].header
        try:
            plain = self._source.fetch(batch_no, header.data_hash)
            try:
                return OpenBatch(open_file(plain.path.read_bytes()), header, plain.batch_secret)
            finally:
                plain.path.unlink()
        except (Missing, Substituted, ExhibitError, FileError) as error:
            return f"batch {batch_no}: {error}"


def _pointer(record: Record, account: bytes) -> int:
    """The leaf that a record points to as its account's one before; 0 for none."""
    if account[0] == LANE:
        return record.lane_prev_leaf_no
    return next((step.prev_leaf_no for step in record.steps if step is not None and step.account == account), 0)


def _attestations(commit: Commit) -> Iterable[dict[str, str]]:
    on_chain = commit.on_chain
    if on_chain is None:
        return
    for attester, signature in zip(on_chain.attesters, on_chain.signatures or (), strict=False):
        yield {"attester": shown(attester), "r": shown(signature[0]), "vs": shown(signature[1])}
