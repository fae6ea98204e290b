"""A merchant's extract of a batch against the chain: what `proofs.extract` proves, and that the hub holds its headers.

The merchant trusts the chain and nobody else: the headers are the hub's, the signers are those that the registry names,
every lane that is registered has its row, and the net is the one that was committed. Called by the command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.chain import Chain, Commit
from proofs.accounts import lane_account, points_account
from proofs.extract import ExtractError, Moved, Proven, check

FILE_BYTES_MAX = 2**28


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an extract came to. `proven` is None where it does not even fit together."""

    proven: Proven | None
    problems: Sequence[str]
    final: bool = False

    def as_json(self) -> dict[str, Any]:
        """For a file: accounts as hex, integers as decimal strings."""
        told: dict[str, Any] = {"proven": not self.problems, "final": self.final, "problems": list(self.problems)}
        if self.proven is not None:
            told |= {
                "merchantId": str(self.proven.merchant_id),
                "batchNo": str(self.proven.batch_no),
                "leaves": str(self.proven.leaves),
                "signed": str(self.proven.signed),
                "net": None if self.proven.net is None else str(self.proven.net),
                "accounts": [_account(each) for each in self.proven.accounts],
            }
        return told


def _account(moved: Moved) -> dict[str, str]:
    return {
        "account": f"0x{moved.account.hex()}",
        "seqBefore": str(moved.opening.seq),
        "seqAfter": str(moved.closing.seq),
        "balanceBefore": str(moved.opening.balance),
        "balanceAfter": str(moved.closing.balance),
    }


def told(verdict: Verdict) -> str:
    """The verdict on one line, for people."""
    proven = verdict.proven
    assert proven is not None, "only what fits together is told so"
    state = "final" if verdict.final else "in its window"
    net = "" if proven.net is None else f", net {proven.net}"
    return (
        f"merchant {proven.merchant_id} in batch {proven.batch_no} ({state}): {proven.leaves} leaves, {proven.signed}"
        f" signed, no gap in {len(proven.accounts)} accounts{net}"
    )


def load(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The pages in these files, in order: each an extract, the API's answer around one, or a list of either. Raises
    ValueError naming the file.
    """
    pages: list[dict[str, Any]] = []
    for path in paths:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ValueError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: not JSON: {error}") from error
        found = read if isinstance(read, list) else [read]
        if not all(isinstance(page, dict) for page in found):
            raise ValueError(f"{path}: holds no extract")
        pages += [page["extract"] if set(page) == {"extract", "next_cursor"} else page for page in found]
    return pages


def judge(pages: Sequence[dict[str, Any]], chain: Chain) -> Verdict:
    """What the pages prove, and what of it the chain does not bear out."""
    try:
        proven = check(pages)
    except ExtractError as error:
        return Verdict(None, [str(error)])
    held = {commit.header.batch_no: commit for each in chain.hubs for commit in each.commits}
    problems = [*_headers(proven, held), *_carried(proven, chain), *_keys(proven, chain), *_nets(proven, held)]
    if (proven.chain_id, proven.hub) != (chain.chain_id, chain.hub):
        problems.insert(0, f"it is of chain {proven.chain_id} and hub 0x{proven.hub.hex()}")
    commit = held.get(proven.batch_no)
    return Verdict(proven, problems, final=bool(commit and commit.on_chain and commit.on_chain.final))


def _headers(proven: Proven, held: dict[int, Commit]) -> Iterator[str]:
    for batch_no, header_hash in sorted(proven.headers.items()):
        commit = held.get(batch_no)
        stored = commit.on_chain.stored_hash if commit and commit.on_chain else bytes(32)
        if stored != header_hash:
            yield f"batch {batch_no}: the hub holds 0x{stored.hex()}, the extract proves 0x{header_hash.hex()}"


def _carried(proven: Proven, chain: Chain) -> Iterator[str]:
    """The header before a hub's first one is the one that the hub was founded to go on after."""
    if not chain.commits or proven.batch_no != chain.commits[0].header.batch_no:
        return
    before, named = proven.headers.get(proven.batch_no - 1), chain.carried
    if before != (None if named is None else named.header_hash):
        yield f"batch {proven.batch_no}: the hub does not go on after the header before it"


def _keys(proven: Proven, chain: Chain) -> Iterator[str]:
    """Signers are the registered ones, and no registered lane was left out."""
    for key_id, signers in sorted(proven.signers.items()):
        key = chain.registry.keys.get((proven.merchant_id, key_id))
        if key is None or signers != {key.signer}:
            yield f"lane {key_id}: signed by {', '.join(f'0x{each.hex()}' for each in sorted(signers))}, not registered"
    shown = {each.account for each in proven.accounts}
    for (merchant_id, key_id), key in sorted(chain.registry.keys.items()):
        own = merchant_id == proven.merchant_id and key.from_batch < proven.batch_no
        if own and lane_account(merchant_id, key_id) not in shown:
            yield f"lane {key_id} is registered, and its row is missing"
    own_terms = (each for each in chain.registry.terms.values() if each.issuer_id == proven.merchant_id)
    issues = any(each.from_batch < proven.batch_no for each in own_terms)
    if issues and points_account(proven.merchant_id) not in shown:
        yield "the merchant issues points, and the row of its points is missing"


def _nets(proven: Proven, held: dict[int, Commit]) -> Iterator[str]:
    commit = held.get(proven.batch_no)
    if proven.net is None or commit is None:
        return
    committed = dict(commit.nets or ()).get(proven.merchant_id, 0)
    if committed != proven.net:
        yield f"batch {proven.batch_no} moves {committed} to the merchant on the chain, its rows say {proven.net}"
