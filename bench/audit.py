"""Events audited a second, beside the signature check alone and the usual libraries, on the same leaves in one run.

    python -m bench.audit [--events 100000] [--batch 50000] [--members 5000] [--processes 2]

A history is made, sealed and published first; only the audit is timed: fetching, decrypting, decompressing, and every
check, from genesis on. "Recovery alone" is the one elliptic-curve operation no audit can leave out, on one process: the
floor; processor time is told too, because neighbours disturb it less than the clock. "Libraries" is what most would
write: eth_account recovers the typed data, eth_abi encodes postings and leaf; no accounts, no rules, no tree. Memory is
the highest resident size of any one process. Several processes are measured where an audit would start them.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from rich.console import Console
from rich.progress import track
from rich.table import Table

from auditor.audit import LEAVES_WORTH_PROCESSES, Means, audit
from auditor.chain import Chain, Commit
from auditor.fetch import AuditorKey, Folder
from auditor.outcome import Outcome, Verdict
from auditor.progress import Watch
from bench.conditions import keep, machine
from proofs.kinds import Kind
from proofs.lpb1 import Record
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, PointsEvent, Posting, signed_digest
from proofs.signature import recover
from proofs.words import Typed, snake
from settlement.chains import Tip
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Recipient, pack, publish
from settlement.seal import Opening, Sealed, genesis, seal
from tests.attacks import alliance
from tests.attacks.forge import KID, PRIVATE, SEPARATOR, honest_registry

SEED = 20_270_115
SECONDS_OF_PEER = 3.0
REDEEM_SHARE = 0.2
SETTLING_EVERY = 4


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


def history(folder: Path, events: int, batch_leaves: int, members: int) -> tuple[list[Commit], list[Record]]:
    """Everything sealed and published; the commits in order and the first batch's records."""
    ledger, chance, tips = alliance.Ledger(), random.Random(SEED), dict[bytes, Tip]()
    zero = genesis(
        chain_id=alliance.CHAIN_ID,
        hub=alliance.HUB,
        registered=alliance.registered(),
        founded_at=alliance.FOUNDED_AT,
        config_hash=alliance.CONFIG_HASH,
        batch_secret=alliance.batch_secret(0),
    )
    commits = [_published(zero, folder)]
    opening, records = zero.opening(commits[0].header), list[Record]()
    for batch_no in track(range(1, -(-events // batch_leaves) + 1), "making a history", console=Console(stderr=True)):
        traffic(ledger, min(batch_leaves, events - (batch_no - 1) * batch_leaves), members, chance)
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
        commits.append(_published(sealed, folder))
        opening = Opening.after(opening, sealed, commits[-1].header)
        records = records or list(sealed.records)
    return commits, records


def _published(sealed: Sealed, folder: Path) -> Commit:
    reader = Recipient(KID, PRIVATE.public_key().public_bytes_raw())
    package = pack(sealed, data_key=alliance.data_key(sealed.header.batch_no), recipients=[reader])
    header = sealed.finish(package.data_hash)
    publish(package, header, [FolderMirror(folder)])
    return Commit(header, header.hash_struct(), list(sealed.nets) if sealed.nets else None)


def audited(commits: Sequence[Commit], folder: Path, processes: int) -> Outcome:
    """One whole audit; headers count as sealed and not yet committed."""
    registry = honest_registry()
    chain = Chain(alliance.CHAIN_ID, alliance.HUB, bytes(20), bytes(32), 0, bytes(32), registry, list(commits))
    means = Means([Folder(folder)], AuditorKey(KID, PRIVATE), processes, Watch(quiet=True))
    outcome = audit(chain, commits, means)
    assert outcome.verdict == Verdict.CLEAN, outcome.findings.counts
    return outcome


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
    for name, default in (("events", 100_000), ("batch", 50_000), ("members", 5_000), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as scratch:
        folder = Path(scratch)
        commits, records = history(folder, chosen.events, chosen.batch, chosen.members)
        before = machine()
        cpu = time.process_time()
        one = audited(commits, folder, 1)
        cpu = time.process_time() - cpu
        several = audited(commits, folder, chosen.processes) if chosen.events >= LEAVES_WORTH_PROCESSES else None
    peers = {
        "recovery alone, 1 process": rate(records, recovery_alone),
        "libraries, 1 process": rate(records, by_libraries),
    }
    figures = {
        "audit, 1 process": int(chosen.events / one.seconds),
        **peers,
    }
    seconds = {"1": one.seconds}
    if several is not None:
        figures[f"audit, {chosen.processes} processes"] = int(chosen.events / several.seconds)
        seconds[str(chosen.processes)] = several.seconds
    memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    result = {
        "conditions": before | vars(chosen),
        "eventsPerSecond": figures,
        "auditSeconds": seconds,
        "cpuMicrosecondsPerEvent": int(cpu / chosen.events * 1_000_000),
        "residentMegabytesMax": memory // 1024,
        "publishedBytesPerEvent": sum(batch.sealed_bytes for batch in one.batches) // chosen.events,
    }
    table = Table("check", "events/s", "of recovery alone", title=f"{chosen.events:,} events")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}", f"{value / figures['recovery alone, 1 process']:.2f}")
    Console().print(table)
    print(f"kept in {keep('audit', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
