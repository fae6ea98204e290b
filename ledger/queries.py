"""What may be asked of the stored ledger: balances, positions, registry, answers. Reading only, one statement each.

Everybody above may call it, on a psycopg connection of their own. Amounts as in `ledger.units`; balances are those of
the last journal entry that is visible to the connection's transaction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from ledger import commands
from ledger.accounts import CHAIN, Family
from ledger.answers import Answer, parse_receipt, parse_refusal
from ledger.commands import OpenMerchant, PublishTerms
from ledger.points.lots import Draw, spendable
from ledger.registry import Registry
from ledger.slice import Lot, Slice, Used
from ledger.storage import loading, selects

Connection = psycopg.Connection[Any]


class MemberBalance(NamedTuple):
    """One member's points of one issuer: `confirmed` (negative: all debt), `pending`, `held` by open
    authorisations, `debt`, and what is `available` to redeem now, in points and in AU.
    """

    issuer: int
    confirmed: int
    pending: int
    held: int
    debt: int
    available_points: int
    available_au: int


class Position(NamedTuple):
    """What a party is owed (+) or owes (-) in AU: total = cash + fees − settled."""

    cash: int
    fees: int
    settled: int
    total: int


class IssuerPoints(NamedTuple):
    """Points of one issuer: in members' hands (debts deducted), and pending."""

    outstanding: int
    pending: int


_LAST = """
SELECT DISTINCT ON (family, unit, party) family, unit, party, balance
FROM ledger.posting WHERE shard = 0 AND family = ANY(%s)
ORDER BY family, unit, party, n DESC
"""
_SETTLEMENTS = "SELECT name FROM ledger.claim WHERE shard = 0 AND used = %s"
_OF_MEMBER = """
SELECT i.issuer, f.family, last.balance
FROM (SELECT merchant_id AS issuer FROM ledger.merchant WHERE shard = 0) i
CROSS JOIN unnest(%s::smallint[]) AS f (family)
CROSS JOIN LATERAL (
    SELECT balance FROM ledger.posting
    WHERE shard = 0 AND family = f.family AND unit = i.issuer
      AND party = (SELECT coalesce(merged_into, member_no) FROM ledger.person WHERE shard = 0 AND name = %s)
    ORDER BY n DESC LIMIT 1
) last
ORDER BY i.issuer
"""


_DEALT = """
SELECT 1 FROM ledger.person p CROSS JOIN LATERAL (
    SELECT 1 FROM ledger.posting
    WHERE shard = 0 AND family = ANY(%s) AND unit = %s AND party IN (p.member_no, p.merged_into) LIMIT 1
) dealt
WHERE p.shard = 0 AND p.name = %s
"""
_SEEN = [Family.MEMBER.value, Family.PENDING.value, Family.HELD.value]


def member_exists(conn: Connection, member: str) -> bool:
    """Whether a member of this name is enrolled."""
    row = conn.execute("SELECT 1 FROM ledger.member WHERE shard = 0 AND name = %s", [member]).fetchone()
    return row is not None


def has_dealt(conn: Connection, member: str, merchant_id: int) -> bool:
    """Whether the member, by this name or as who it means now, ever had points of the merchant, pending ones too."""
    families = [Family.MEMBER.value, Family.PENDING.value]
    row = conn.execute(_DEALT, [families, merchant_id, member]).fetchone()
    return row is not None


def member_balances(conn: Connection, member: str, at_ms: int) -> list[MemberBalance]:
    """By issuer, ascending; what is available is judged at `at_ms`. Empty for a member who never had a point."""
    balances: dict[int, dict[int, int]] = {}
    for issuer, family, balance in conn.execute(_OF_MEMBER, [_SEEN, member]):
        balances.setdefault(issuer, {})[family] = balance
    promises = registry(conn)
    lots = [lot for lot in open_lots(conn, member) if not promises.is_closed(lot.issuer)]
    return [
        _member_balance(issuer, mine, [lot for lot in lots if lot.issuer == issuer], promises.terms, at_ms)
        for issuer, mine in sorted(balances.items())
    ]


def _member_balance(
    issuer: int, mine: dict[int, int], lots: list[Lot], terms: dict[int, PublishTerms], at_ms: int
) -> MemberBalance:
    confirmed = mine.get(Family.MEMBER, 0)
    points, groups = 0, dict[int, Draw]()
    for lot in spendable(lots, at_ms):
        points += lot.remaining
        rate = terms[lot.terms_id]
        groups.setdefault(lot.terms_id, Draw(rate)).add(lot, lot.remaining * rate.au_num)
    au = sum(group.au for group in groups.values())
    held = mine.get(Family.HELD, 0)
    debt = max(0, held - confirmed)
    return MemberBalance(issuer, confirmed, mine.get(Family.PENDING, 0), held, debt, points, au)


def open_lots(conn: Connection, member: str) -> list[Lot]:
    """A member's confirmed lots with something left, of every issuer, expired or not."""
    state = Slice(0, Registry())
    rows = conn.execute(selects.OPEN_LOTS, [member, "{}", ""])
    loading.add_open_lots(state, rows)
    return [lot for lots in state.lots_of.values() for lot in lots]


def positions(conn: Connection) -> dict[int, Position]:
    """By party (merchants and the operator that ever had money posted); totals sum to zero."""
    families = [Family.CASH.value, Family.FEES.value, Family.SETTLED.value]
    found: dict[int, dict[int, int]] = {}
    for family, _, party, balance in conn.execute(_LAST, [families]):
        if party != CHAIN:
            found.setdefault(party, {})[family] = balance
    return {party: _position(mine) for party, mine in sorted(found.items())}


def _position(mine: dict[int, int]) -> Position:
    cash, fees, settled = (mine.get(family, 0) for family in (Family.CASH, Family.FEES, Family.SETTLED))
    return Position(cash, fees, settled, cash + fees - settled)


def settlements(conn: Connection) -> set[tuple[int, int]]:
    """(batch, block) of everything the ledger was told that the chain moved; block 0 for a batch's own nets."""
    found = (name.partition("@") for (name,) in conn.execute(_SETTLEMENTS, [Used.SETTLED_BATCH.value]))
    return {(int(batch), int(block or 0)) for batch, _, block in found}


def outstanding(conn: Connection) -> dict[int, IssuerPoints]:
    """By issuer: points in members' hands and pending points, both positive when members have them."""
    families = [Family.OUTSTANDING.value, Family.PENDINGS.value]
    found: dict[int, dict[int, int]] = {}
    for family, issuer, _, balance in conn.execute(_LAST, [families]):
        found.setdefault(issuer, {})[family] = -balance
    return {
        issuer: IssuerPoints(mine.get(Family.OUTSTANDING, 0), mine.get(Family.PENDINGS, 0))
        for issuer, mine in sorted(found.items())
    }


def registry(conn: Connection) -> Registry:
    """All merchants and terms."""
    return loading.registry(conn)


def registry_at(conn: Connection, seq: int) -> Registry:
    """What merchants had promised when journal entry `seq` was written."""
    return loading.played(conn.execute(selects.REGISTRY_AT, [seq]))


def merchants(conn: Connection) -> list[OpenMerchant]:
    """As they were opened, by number."""
    return [merchant for _, merchant in sorted(registry(conn).merchants.items())]


def terms(conn: Connection) -> list[PublishTerms]:
    """As they were published, by number."""
    return [each for _, each in sorted(registry(conn).terms.items())]


def answer_by_key(conn: Connection, key: str) -> Answer | None:
    """The first answer to this key, None if it was never used."""
    found = _remembered(conn, key)
    if found is None:
        return None
    done, _, body = found
    return Answer(parse_receipt(body) if done else parse_refusal(body), replayed=True, body=body)


def command_by_key(conn: Connection, key: str) -> commands.AnyCommand | None:
    """The command that was answered first under this key: a caller that cannot repeat `at_ms` finds it here."""
    found = _remembered(conn, key)
    return commands.parse(found[1]) if found else None


def _remembered(conn: Connection, key: str) -> tuple[bool, bytes, bytes] | None:
    row = conn.execute(selects.ANSWERS, [key]).fetchone()
    return (row[1], row[2].encode(), row[3].encode()) if row else None
