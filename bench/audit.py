"""Events audited a second as the history grows, beside the signature check alone and the usual libraries, in one run.

    python -m bench.audit [--sizes 10000,100000,1000000] [--batch 50000] [--members 50000] [--processes 2]
                          [--history FOLDER]

One history of the largest size is made, sealed and published first (with --history it is kept there and used again);
each size is a prefix of it, audited by one process and by several: fetching, decrypting, decompressing, and every
check, from genesis on. Each audit runs in a process of its own, whose processor time and highest resident memory are
those of all its processes. "Recovery alone" is the one elliptic-curve operation no audit can leave out, on one process:
the floor. "Libraries" is what most would write: eth_account recovers
the typed data, eth_abi encodes postings and leaf; no accounts, no rules, no tree.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from rich.console import Console
from rich.progress import track
from rich.table import Table

from auditor.audit import LEAVES_WORTH_PROCESSES, Means, audit
from auditor.chain import Chain, Commit
from auditor.fetch import AuditorKey
from auditor.mirrors import Folder
from auditor.outcome import Verdict
from auditor.progress import Watch
from bench.conditions import keep, machine
from proofs.kinds import Kind
from proofs.lpb1 import Record
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, PointsEvent, Posting, signed_digest
from proofs.signature import recover
from proofs.words import Typed, snake
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Recipient, pack, publish
from settlement.sealing.chains import Tip
from settlement.sealing.seal import Opening, Sealed, genesis, seal
from tests.attacks import alliance
from tests.attacks.forge import KID, PRIVATE, SEPARATOR, honest_registry

SEED = 20_270_115
SECONDS_OF_PEER = 3.0
REDEEM_SHARE = 0.2
SETTLING_EVERY = 4
RECORDS_KEPT = 2_000


def traffic(ledger: alliance.Ledger, events: int, members: int, chance: random.Random) -> None:
    """Four of five events earn, the others redeem what there is at another merchant."""
    for _ in range(events):
        issuer, member = chance.choice(alliance.MERCHANTS), f"m{chance.randrange(members)}"
        held = ledger.held(member, issuer)
        if held and chance.random() < REDEEM_SHARE:
            points, merchant = chance.randint(1, held), chance.choice(alliance.MERCHANTS)
            cash = 0 if merchant == issuer else alliance.UNITS_PER_POINT[issuer] * points
            ledger.act(Kind.REDEEM, merchant, issuer=issuer, member=member, points=points, settle=cash)
        else:
            ledger.act(Kind.EARN, issuer, issuer=issuer, member=member, points=chance.randint(1, 5_000))


class History(NamedTuple):
    """Everything sealed and published: the commits in order, some records, and the batch that ends each size."""

    commits: list[Commit]
    records: list[Record]
    ends: dict[int, int]


def history(folder: Path, sizes: Sequence[int], batch_leaves: int, members: int) -> History:
    """A history with a batch that ends at each of the sizes, ascending."""
    ledger, chance, tips = alliance.Ledger(), random.Random(SEED), dict[bytes, Tip]()
    zero = genesis(
        chain_id=alliance.CHAIN_ID,
        hub=alliance.HUB,
        registered=alliance.registered(),
        founded_at=alliance.FOUNDED_AT,
        config_hash=alliance.CONFIG_HASH,
        batch_secret=alliance.batch_secret(0),
    )
    made = History([_published(zero, folder)], [], {})
    opening = zero.opening(made.commits[0].header)
    lengths = list(_lengths(sizes, batch_leaves))
    for batch_no, leaves in track(list(enumerate(lengths, 1)), "making a history", console=Console(stderr=True)):
        traffic(ledger, leaves, members, chance)
        sealed = seal(
            opening,
            ledger.pending,
            rules=alliance.rules(),
            signer=alliance.keystore(),
            member_tips=tips,
            registered=alliance.registered(),
            batch_secret=alliance.batch_secret(batch_no),
            journal_head=bytes(32),
            opened_at=ledger.clock,
            sealed_at=ledger.clock,
            settling=batch_no % SETTLING_EVERY == 0,
        )
        ledger.pending = []
        tips |= sealed.member_tips
        made.commits.append(_published(sealed, folder))
        opening = Opening.after(opening, sealed, made.commits[-1].header)
        made.records.extend(sealed.records[: RECORDS_KEPT - len(made.records)])
        made.ends[sum(lengths[:batch_no])] = batch_no
    return made


def _lengths(sizes: Sequence[int], batch_leaves: int) -> Iterator[int]:
    """Leaves of each batch, so that one ends at each size."""
    done = 0
    for size in sizes:
        while done < size:
            leaves = min(batch_leaves, size - done)
            done += leaves
            yield leaves


def kept_history(folder: Path, sizes: Sequence[int], batch_leaves: int, members: int) -> History:
    """The history in `folder` if it was made for the same figures, else made there."""
    memory, figures = folder / "history.pickle", (tuple(sizes), batch_leaves, members)
    if memory.exists():
        told, known = pickle.loads(memory.read_bytes())  # noqa: S301 - our own file of a benchmark
        if told == figures:
            return History(*known)
    folder.mkdir(parents=True, exist_ok=True)
    made = history(folder, sizes, batch_leaves, members)
    memory.write_bytes(pickle.dumps((figures, tuple(made))))
    return made


def _published(sealed: Sealed, folder: Path) -> Commit:
    reader = Recipient(KID, PRIVATE.public_key().public_bytes_raw())
    package = pack(sealed, data_key=alliance.data_key(sealed.header.batch_no), recipients=[reader])
    header = sealed.finish(package.data_hash)
    publish(package, header, [FolderMirror(folder)])
    return Commit(header, header.hash_struct(), list(sealed.nets) if sealed.nets else None)


class Measured(NamedTuple):
    """One audit: seconds by the clock and of processors, resident megabytes of all its processes, bytes published."""

    seconds: float
    cpu_seconds: float
    resident_megabytes: int
    sealed_bytes: int


def audited(commits: Sequence[Commit], folder: Path, processes: int, last: int) -> Measured:
    """One whole audit of batches 0 to `last`; headers count as sealed only. For a process of its own."""
    registry = honest_registry()
    chain = Chain(alliance.CHAIN_ID, alliance.HUB, bytes(20), bytes(32), 0, bytes(32), registry, list(commits))
    means = Means([Folder(folder)], AuditorKey(KID, PRIVATE), processes, Watch(quiet=True))
    before = time.process_time()
    outcome = audit(chain, commits, means, last=last)
    cpu = time.process_time() - before
    assert outcome.verdict == Verdict.CLEAN, outcome.findings.counts
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + workers.ru_maxrss * (processes > 1) * processes
    cpu += workers.ru_utime + workers.ru_stime
    return Measured(outcome.seconds, cpu, resident // 1024, sum(batch.sealed_bytes for batch in outcome.batches))


def apart(commits: Sequence[Commit], folder: Path, processes: int, last: int) -> Measured:
    """`audited` in a fresh process, so that memory is that of one audit alone."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        return alone.submit(audited, commits, folder, processes, last).result()


def rate(records: Sequence[Record], check: Callable[[Record], object]) -> int:
    """Records a second through one check, for as long as a peer is given."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS_OF_PEER:
        check(records[done % len(records)])
        done += 1
    return int(done / (time.perf_counter() - start))


def recovery_alone(record: Record) -> bytes:
    return recover(signed_digest(SEPARATOR, record.event.hash_struct()), record.sig_r, record.sig_vs)


def by_libraries(record: Record) -> str:
    """Signature, postings and leaf of one record by eth_account and eth_abi."""
    domain = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": alliance.CHAIN_ID,
        "verifyingContract": f"0x{alliance.HUB.hex()}",
    }
    types = {"PointsEvent": [{"name": name, "type": kind} for kind, name in _fields(PointsEvent)]}
    message = {name: getattr(record.event, snake(name)) for _, name in _fields(PointsEvent)}
    packed = int.from_bytes(record.sig_vs, "big")
    parts = (27 + (packed >> 255), int.from_bytes(record.sig_r, "big"), packed % 2**255)
    for step in record.steps:
        if step is not None:
            _encoded(Posting(step.account, step.seq, step.prev_leaf_no, step.delta, step.balance, bytes(32)))
    _encoded(record.leaf(bytes(32)))
    return str(Account.recover_message(encode_typed_data(domain, types, message), vrs=parts))


def _encoded(struct: Typed) -> bytes:
    fields = _fields(type(struct))
    return encode([kind for kind, _ in fields], [getattr(struct, snake(name)) for _, name in fields])


def _fields(kind: type[Typed]) -> list[tuple[str, str]]:
    pairs = (field.split(" ") for field in kind.TYPE[kind.TYPE.index("(") + 1 : -1].split(","))
    return [(abi_type, name) for abi_type, name in pairs]


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_sizes, default=(10_000, 100_000, 1_000_000))
    for name, default in (("batch", 50_000), ("members", 50_000), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--history", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as scratch:
        folder = chosen.history or Path(scratch)
        made = kept_history(folder, chosen.sizes, chosen.batch, chosen.members)
        before = machine()
        peers = {
            "recovery alone, 1 process": rate(made.records, recovery_alone),
            "libraries, 1 process": rate(made.records, by_libraries),
        }
        runs = {
            (size, processes): apart(made.commits, folder, processes, made.ends[size])
            for size in chosen.sizes
            for processes in (1, chosen.processes)
            if processes == 1 or size >= LEAVES_WORTH_PROCESSES
        }
    conditions = before | {name: value for name, value in vars(chosen).items() if name != "history"}
    audits = [_told(*key, run) for key, run in runs.items()]
    result = {"conditions": conditions, "peersPerSecond": peers, "audits": audits}
    _show(peers, runs)
    print(f"kept in {keep('audit', result)}")
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(each) for each in text.split(",")}))


def _told(size: int, processes: int, run: Measured) -> dict[str, object]:
    return {
        "events": size,
        "processes": processes,
        "seconds": round(run.seconds, 3),
        "eventsPerSecond": int(size / run.seconds),
        "cpuMicrosecondsPerEvent": round(run.cpu_seconds / size * 1e6, 1),
        "residentMegabytesMax": run.resident_megabytes,
        "publishedBytesPerEvent": run.sealed_bytes // size,
    }


def _show(peers: dict[str, int], runs: dict[tuple[int, int], Measured]) -> None:
    floor = peers["recovery alone, 1 process"]
    table = Table("events", "check", "events/s", "of recovery alone", "seconds", "CPU µs/event", "resident MB")
    for name, value in peers.items():
        table.add_row("", name, f"{value:,}", f"{value / floor:.2f}", "", "", "")
    for (size, processes), run in runs.items():
        pace = size / run.seconds
        table.add_row(
            f"{size:,}",
            f"audit, {processes} process{'es' if processes > 1 else ''}",
            f"{pace:,.0f}",
            f"{pace / floor:.2f}",
            f"{run.seconds:.1f}",
            f"{run.cpu_seconds / size * 1e6:.0f}",
            f"{run.resident_megabytes:,}",
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
