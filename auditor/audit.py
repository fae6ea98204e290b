"""An audit from end to end: every header on the chain, then every batch's file, in order.

Headers are always walked from genesis, whatever range was asked for, because a range is only as good as the chain it
hangs on. The verdict is clean only if nothing was found and nothing was missing. Called by the command line and by
`attest`; the outcome is data, which `report` and `page` show. Source: protocol §6.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

from auditor.attestations import check_attestations, check_config, check_settled
from auditor.batch import Context, Opened, Run, close_batch, open_batch
from auditor.books import Books, cash_balances
from auditor.carried import check_carried
from auditor.chain import Chain, Commit
from auditor.evidence import Evidence, check_checkpoint
from auditor.exhibits import gather
from auditor.fetch import AuditorKey, Missing, Plain, Source, Substituted
from auditor.figures import DORMANT_DAYS
from auditor.findings import Findings, shown
from auditor.forced import check_forced
from auditor.headers import HeaderWalk
from auditor.journal import check_journal
from auditor.mirrors import Mirror
from auditor.money import check_money
from auditor.originals import Originals
from auditor.outcome import BatchOutcome, Outcome
from auditor.progress import Watch
from auditor.receipts import Seen, check_receipts
from auditor.relations import Relations
from proofs.lpb1 import FileError, Row, open_file
from proofs.messages import BatchHeader, domain_separator
from proofs.tree import root_of

PROCESSES_MAX = 32
LEAVES_WORTH_PROCESSES = 2**16
"""Fewer leaves are checked in this process: others take seconds to start on a busy machine."""


RIVALS_SHOWN_MAX = 8
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Means:
    """What an audit works with: where files are, the key that opens them, processes, who watches, and a folder in which
    what was fetched is kept, if any.
    """

    mirrors: Sequence[Mirror]
    key: AuditorKey
    processes: int
    watch: Watch
    evidence: Evidence = field(default_factory=Evidence)
    kept: Path | None = None

    def source(self, scratch: str) -> Source:
        """Where files come from, in the clear in `scratch`."""
        return Source(self.mirrors, self.key, Path(scratch), self.kept)


def audit(chain: Chain, commits: Sequence[Commit], means: Means, *, first: int = 0, last: int | None = None) -> Outcome:
    """Check `commits` (those of `chain`, and sealed ones after them in attester mode); files of first … last."""
    started = time.monotonic()
    newest = max((commit.header.batch_no for commit in commits), default=-1)
    outcome = Outcome(chain, first, newest if last is None else min(last, newest))
    eras = [_Era(each, commits if each is chain else each.commits) for each in chain.hubs]
    for era in eras:
        _check_headers(era, outcome.findings)
        _check_contracts(era.chain, outcome.findings)
    for old, new in pairwise(eras):
        if new.chain.rivals:
            outcome.on_trust.append(_alone(new.chain.rivals))
        if new.commits:
            check_carried(old.chain, new.chain, new.commits[0], outcome.findings)
    _require_predecessor(eras[0], first, outcome)
    commits = [commit for era in eras for commit in era.commits]
    outcome.checkpoints = check_checkpoint(means.evidence.checkpoint, commits, chain, outcome.findings)
    chosen = [commit for commit in commits if first <= commit.header.batch_no <= outcome.last]
    if not chosen or (last is not None and last > newest):
        asked = f"{first} to {newest if last is None else last}"
        outcome.incomplete.append(f"batches {asked} were asked for, and the newest on the chain is {newest}")
    means.watch.expect(sum(commit.header.leaf_count for commit in chosen))
    try:
        _read_files(eras, commits, chosen, means, outcome)
        _show(commits, means, outcome)
    except KeyboardInterrupt:
        _interrupted(outcome, chosen)
    outcome.seconds = time.monotonic() - started
    return outcome


@dataclass(frozen=True, slots=True)
class _Era:
    """One hub with its headers; all of a ledger's follow each other."""

    chain: Chain
    commits: Sequence[Commit]

    @property
    def separator(self) -> bytes:
        return domain_separator(chain_id=self.chain.chain_id, hub=self.chain.hub)

    @property
    def first(self) -> int:
        """The number of its first header."""
        return self.commits[0].header.batch_no if self.commits else 0


def _check_headers(era: _Era, findings: Findings) -> None:
    """Checks 2 to 5, 19 and 30 of one hub's headers."""
    chain = era.chain
    walk = HeaderWalk(chain.chain_id, chain.hub, findings, chain.carried)
    for commit in era.commits:
        walk.take(commit)
        check_attestations(commit, era.separator, findings)
        check_settled(commit, findings)
        check_config(commit, era.commits[0].header.config_hash, findings)


def _require_predecessor(oldest: _Era, first: int, outcome: Outcome) -> None:
    """An opening that was carried over is as good as what it was carried over from."""
    old = oldest.chain.carried
    if old is not None and first <= oldest.first:
        where = f"hub {shown(old.hub)} on chain {old.chain_id}"
        outcome.incomplete.append(f"batch {oldest.first} goes on after {where}, which was not read (--old-rpc)")


def _alone(rivals: Sequence[bytes]) -> str:
    """Anybody can found a hub that says so, and the old one names none: which is the alliance's no figure can tell."""
    named, more = ", ".join(map(shown, rivals[:RIVALS_SHOWN_MAX])), len(rivals) - RIVALS_SHOWN_MAX
    others = f" and {more} more" if more > 0 else ""
    return f"that the ledger did not go on at {named}{others}: said there of the same header"


def _check_contracts(chain: Chain, findings: Findings) -> None:
    """The money and the forced events, as far as the chain was asked for them."""
    if chain.money is not None and chain.holdings is not None:
        final = (each for each in chain.commits if each.on_chain is not None and each.on_chain.final and each.nets)
        nets = {commit.header.batch_no: dict(commit.nets or ()) for commit in final}
        check_money(chain.money, chain.holdings, nets, findings)
    if chain.queue is not None:
        check_forced(chain.queue, chain.block_time, findings)


def _read_files(
    eras: Sequence[_Era], commits: Sequence[Commit], chosen: Sequence[Commit], means: Means, outcome: Outcome
) -> None:
    """Every chosen batch's file, each fetched while the one before is joined; what they come to goes into `outcome`."""
    leaves, registry = sum(commit.header.leaf_count for commit in chosen), outcome.chain.registry
    with (
        tempfile.TemporaryDirectory(prefix="audit-") as scratch,
        Originals(Path(scratch) / "originals") as originals,
        _runner(means.processes, leaves) as run,
    ):
        source = means.source(scratch)
        books = _opening(commits, outcome.first, source, outcome)
        relations = Relations(originals, registry.terms, complete=books.complete)
        dormant_before = partial(_dormant_before, [commit.header for commit in commits])
        contexts = [
            (
                era.first,
                Context(era.separator, era.chain.registry, run, tick=means.watch.done, dormant_before=dormant_before),
            )
            for era in eras
        ]
        try:
            for fetched in _ahead(_opened(commit, source, _context(contexts, commit), outcome) for commit in chosen):
                means.watch.begin(fetched.commit.header.batch_no)
                outcome.batches.append(_close(fetched, books, relations, outcome))
            headers = [commit.header for commit in commits if commit.header.batch_no <= outcome.last]
            seen = Seen(originals, headers, outcome.first, registry)
            _weigh(means.evidence, books, seen, eras[-1].separator, outcome)
        finally:
            _total(outcome, books, relations)


def _context(contexts: Sequence[tuple[int, Context]], commit: Commit) -> Context:
    """That of the hub which has the batch: domain and registry are a hub's own."""
    return [context for first, context in contexts if first <= commit.header.batch_no][-1]


def _show(commits: Sequence[Commit], means: Means, outcome: Outcome) -> None:
    """The evidence of what was found: the files are opened once more, those that it is about."""
    if not outcome.findings.kept:
        return
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        source = means.source(scratch)
        outcome.exhibits = gather(outcome.findings.kept, commits, source, outcome.chain.registry)


def _weigh(evidence: Evidence, books: Books, seen: Seen, separator: bytes, outcome: Outcome) -> None:
    """What was given beside the published files: receipts of merchants, and the private journal."""
    if evidence.receipts:
        signers = outcome.chain.receipt_signers
        outcome.receipts = check_receipts(evidence.receipts, signers, separator, seen=seen, findings=outcome.findings)
    if evidence.journal is not None:
        outcome.journal_entries = check_journal(evidence.journal, seen.headers, books.rows, outcome.findings)


def _dormant_before(headers: Sequence[BatchHeader], sealed_at: int) -> int:
    """The first leaf of the first batch that was sealed less than DORMANT_DAYS before."""
    since = sealed_at - DORMANT_DAYS * _SECONDS_PER_DAY
    return next((header.first_leaf_no for header in headers if header.sealed_at >= since), 0)


def _ahead(items: Iterable[_Fetched]) -> Iterator[_Fetched]:
    """The same items, each asked for before the one before it is handed out: a batch is fetched, and its shards are at
    work, while the batch before it is joined.
    """
    waiting: _Fetched | None = None
    for item in items:
        if waiting is not None:
            yield waiting
        waiting = item
    if waiting is not None:
        yield waiting


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A batch on its way: `opened` is None where its file could not be had."""

    commit: Commit
    opened: Opened | None
    context: Context
    findings: Findings


def _opened(commit: Commit, source: Source, context: Context, outcome: Outcome) -> _Fetched:
    findings = Findings()
    plain = _fetch(commit, source, findings, outcome)
    opened = None if plain is None else open_batch(commit, plain, context, findings)
    return _Fetched(commit, opened, context, findings)


def _close(fetched: _Fetched, books: Books, relations: Relations, outcome: Outcome) -> BatchOutcome:
    commit, opened, findings, started = fetched.commit, fetched.opened, fetched.findings, time.monotonic()
    header = commit.header
    told = BatchOutcome(header.batch_no, commit.header_hash, header.data_hash, header.leaf_count, header.sealed_at)
    told.settling = any(header.nets_hash)
    if opened is None:
        books.lose()
        relations.complete = False
    else:
        whole = close_batch(opened, books, relations, fetched.context)
        outcome.figures.add(whole.figures)
        opened.plain.path.unlink()
        told.checked = books.rows is not None
        told.plain_bytes, told.sealed_bytes = opened.plain.plain_bytes, opened.plain.sealed_bytes
        told.good_signatures, told.gross_cash = whole.good_signatures, whole.gross_cash
        told.net_cash = sum(amount for _, amount in commit.nets or () if amount > 0)
    told.counts = dict(findings.counts)
    told.seconds = time.monotonic() - started
    outcome.findings.extend(findings)
    return told


def _interrupted(outcome: Outcome, chosen: Sequence[Commit]) -> None:
    """Say what was covered, and never more."""
    outcome.interrupted = True
    done = outcome.batches[-1].batch_no if outcome.batches else None
    covered = "no batch was" if done is None else f"batches {outcome.first} to {done} were"
    outcome.incomplete.append(
        f"interrupted: {covered} checked, {len(chosen) - len(outcome.batches)} of {len(chosen)} were not"
    )


def _fetch(commit: Commit, source: Source, findings: Findings, outcome: Outcome) -> Plain | None:
    header = commit.header
    try:
        return source.fetch(header.batch_no, header.data_hash)
    except Missing as error:
        outcome.incomplete.append(f"batch {header.batch_no}: {error}")
    except Substituted as error:
        findings.add(error.code, header.batch_no, error.place, expected=error.expected, actual=error.actual)
    return None


def _opening(commits: Sequence[Commit], first: int, source: Source, outcome: Outcome) -> Books:
    """The books before batch `first`: empty for genesis, else the published rows, proven by their own header's root."""
    books = Books()
    if first == 0 and (not commits or commits[0].header.batch_no == 0):
        return books
    books.lose()
    outcome.on_trust.append(f"how members stood before batch {first}, because the range starts there")
    by_number = {commit.header.batch_no: commit for commit in commits}
    if first not in by_number or first - 1 not in by_number:
        return books
    before, settled_at = by_number[first - 1], by_number[first].header.nets_since_batch
    since = by_number.get(settled_at)
    if since is None and (carried := by_number.get(settled_at + 1)) is not None and carried.opens:
        since = carried  # whose rows are those of the last batch of the hub before
    rows = _rows(before, source, outcome)
    if rows is not None:
        books.rows, books.total_points = {row.account: row for row in rows}, before.header.total_points
    if since is None:
        outcome.incomplete.append(f"batch {settled_at}, from which nets are counted, was not read")
    settled = _rows(since, source, outcome) if since is not None else None
    if since is not None and settled is not None:
        books.settled_batch, books.settled_cash = since.header.batch_no, cash_balances(settled)
    return books


def _rows(commit: Commit, source: Source, outcome: Outcome) -> list[Row] | None:
    """The rows of a batch outside the range, if its file is there and they hash to the header's root."""
    findings = Findings()
    plain = _fetch(commit, source, findings, outcome)
    if plain is None:
        outcome.findings.extend(findings)
        return None
    try:
        rows = open_file(plain.path.read_bytes()).rows
    except FileError as error:
        outcome.incomplete.append(f"batch {commit.header.batch_no}: {error}")
        return None
    finally:
        plain.path.unlink()
    if root_of([row.row_hash(plain.batch_secret) for row in rows]) != commit.header.accounts_root:
        outcome.incomplete.append(f"batch {commit.header.batch_no}: its rows are not those of its header")
        return None
    return rows


def _total(outcome: Outcome, books: Books, relations: Relations) -> None:
    outcome.figures.undercharged = relations.undercharged
    outcome.looked, outcome.unseen = relations.looked, relations.unseen
    outcome.points = books.total_points or 0
    for balance in books.balances():
        outcome.liabilities += max(0, balance)
        outcome.debts -= min(0, balance)


@contextmanager
def _runner(processes: int, leaves: int) -> Iterator[Run]:
    """Shards in this process, or in several where there is enough work to pay for starting them."""
    if processes <= 1 or leaves < LEAVES_WORTH_PROCESSES:
        yield map
        return
    fresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, PROCESSES_MAX), mp_context=fresh, initializer=_leave_interrupts)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """A worker ends when its pool does: an interrupt at the terminal is for the audit to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def processes_here() -> int:
    """How many processes this machine can run at once."""
    return len(os.sched_getaffinity(0))
