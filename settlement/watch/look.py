"""One look at everything outside at once: chain, hub, collateral, account, mirrors, as facts at one finalised block.

Invariants: reading only; facts hold no opinion (`reconcile` has them); base units are integers, times Unix seconds by
the chain's clock. The look is kept as one row, for the API, which asks no chain itself. Called by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg.types.json import Jsonb

from proofs.json_form import hex_bytes
from settlement import second_node, tables
from settlement.alliance import Alliance
from settlement.chain.client import Head
from settlement.mirrors import Mirror, MirrorError
from settlement.publish import published_header
from settlement.tables import Conn
from settlement.watch import watcher

MIRRORED_BATCHES_MAX = 64
"""So many of the newest batches are looked for on each mirror."""

WITHDRAWAL_OPEN_S = 7 * 86_400
"""Collateral.WITHDRAWAL_OPEN_SECONDS: a withdrawal that nobody executes so long lapses, but in a wind-down."""

_KEPT = "SELECT body FROM settlement.chain_look"
_KEEP = """
INSERT INTO settlement.chain_look (taken_at, body) VALUES (clock_timestamp(), %(body)s)
ON CONFLICT (sole) DO UPDATE SET taken_at = excluded.taken_at, body = excluded.body
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collateral:
    """A party's money in the hub, in base units; `owed` is what it still owes to claims of earlier defaults, `leaving`
    what it has announced to take out, from `leaving_at` (Unix seconds) on. Into a hub that winds down (`ending_since`,
    0 while it does not) no net can come any more but those that are locked.
    """

    merchant_id: int
    free: int
    locked: int
    floor: int
    owed: int
    leaving: int = 0
    leaving_at: int = 0
    ending_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnChain:
    """What the hub holds under one number."""

    header_hash: bytes
    reverted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLook:
    """One mirror: which of the newest numbers it lacks or holds otherwise; `down` says why it could not be asked."""

    place: str
    behind: Sequence[int]
    down: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything seen, at the finalised block `final`; `head` is the newest one, `watched` the watcher's last."""

    head: Head
    final: Head
    watched: int
    watched_at: int
    next_batch_no: int
    next_final_no: int
    operator_bond: int
    held: int
    owed: int
    sender: bytes
    gas_money_wei: int
    fee_wei: int
    nonce_latest: int
    nonce_pending: int
    collateral: Sequence[Collateral]
    batches: dict[int, OnChain]
    mirrors: Sequence[MirrorLook]


def look(conn: Conn, alliance: Alliance, *, sender: bytes, parties: Sequence[int], mirrors: Sequence[Mirror]) -> Look:
    """Look at everything now. Raises `ChainUnclear`, `AllianceError`, `NodesDisagree`."""
    alliance.require_same_chain()
    chain, hub = alliance.chain, alliance.hub
    final, cursor = second_node.settled(alliance), watcher.cursor(conn, alliance)
    held, owed = hub.read("solvency", tag=final.number)
    watched = chain.head(cursor.number if cursor else alliance.anchor.deploy_block)
    return Look(
        head=chain.head(),
        final=final,
        watched=watched.number,
        watched_at=watched.timestamp,
        next_batch_no=hub.read("nextBatchNo", tag=final.number),
        next_final_no=hub.read("nextFinalNo", tag=final.number),
        operator_bond=hub.read("operatorBond", tag=final.number),
        held=held,
        owed=owed,
        sender=sender,
        gas_money_wei=chain.balance(sender),
        fee_wei=chain.fees().max_fee_wei,
        nonce_latest=chain.nonce(sender),
        nonce_pending=chain.nonce(sender, "pending"),
        collateral=collateral(alliance, parties, final),
        batches=_batches(conn, alliance, final.number),
        mirrors=[_mirror(conn, mirror) for mirror in mirrors],
    )


def keep(conn: Conn, seen: Look) -> None:
    """Keep a look in place of the one before it."""
    body = {name: value for name, value in asdict(seen).items() if name not in {"batches", "mirrors"}}
    body["mirrors"] = [asdict(mirror) for mirror in seen.mirrors]
    conn.execute(_KEEP, {"body": Jsonb(_json(body))})


def kept(conn: Conn) -> tuple[Head, list[Collateral]] | None:
    """The final block of the look that is kept, and the collateral seen there; None before the first."""
    row = conn.execute(_KEPT).fetchone()
    if row is None:
        return None
    final = {name: value for name, value in row[0]["final"].items() if name != "hash"}
    head = Head(hash=hex_bytes(row[0]["final"]["hash"]), **_whole(final))
    return head, [Collateral(**_whole(each)) for each in row[0]["collateral"]]


def _whole(told: dict[str, Any]) -> dict[str, int]:
    return {name: int(value) for name, value in told.items()}


def collateral(alliance: Alliance, parties: Sequence[int], final: Head) -> list[Collateral]:
    """Of these parties at a final block, by both nodes where there are two. Raises `NodesDisagree`, `ChainUnclear`."""
    return second_node.agreed(alliance, "collateral", lambda each: _collateral(each, parties, final))


def _collateral(alliance: Alliance, parties: Sequence[int], final: Head) -> list[Collateral]:
    hub, policy, fund, at = alliance.hub, alliance.policy, alliance.fund, final.number
    winds_down = hub.read("windDownAt", tag=at)
    found = []
    for party in parties:
        free, locked = hub.read("balanceOf", party, tag=at)
        floor, owed = policy.read("floorOf", party, tag=at), fund.read("owedBy", party, tag=at)
        leaving, leaving_at = hub.read("withdrawalOf", party, tag=at)
        if not winds_down and final.timestamp > leaving_at + WITHDRAWAL_OPEN_S:
            leaving = leaving_at = 0  # lapsed, or none
        found.append(
            Collateral(
                merchant_id=party,
                free=free,
                locked=locked,
                floor=floor,
                owed=owed,
                leaving=leaving,
                leaving_at=leaving_at,
                ending_since=winds_down,
            )
        )
    return found


def _batches(conn: Conn, alliance: Alliance, at: int) -> dict[int, OnChain]:
    """What the hub holds under every number that is not final here, and under the next one."""
    unfinished = [batch.batch_no for batch in tables.unfinished(conn) if batch.sealed]
    found = {}
    for number in unfinished:
        _, _, _, _, status, *_ = alliance.hub.read("record", number, tag=at)
        header_hash = alliance.hub.read("headerHash", number, tag=at)
        found[number] = OnChain(header_hash=header_hash, reverted=status == tables.REVERTED_ON_CHAIN)
    return found


def _mirror(conn: Conn, mirror: Mirror) -> MirrorLook:
    last = tables.last_batch(conn)
    newest = last.batch_no if last else 0
    behind = []
    try:
        for number in range(max(0, newest - MIRRORED_BATCHES_MAX + 1), newest + 1):
            batch = tables.batch(conn, number)
            if batch is None or batch.sealed is None or batch.state in tables.UNPUBLISHED:
                continue
            standing = published_header(mirror, number)
            if standing is None or standing.hash_struct() != batch.header_hash:
                behind.append(number)
    except MirrorError as error:
        return MirrorLook(place=mirror.name, behind=behind, down=str(error))
    return MirrorLook(place=mirror.name, behind=behind)


def _json(value: Any) -> Any:
    """Bytes as hex, integers as text where JSON's readers would cut them."""
    match value:
        case bool() | None | str():
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case bytes():
            return "0x" + value.hex()
        case dict():
            return {name: _json(one) for name, one in value.items()}
        case _:
            return [_json(one) for one in value]
