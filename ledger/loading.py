"""Fill a slice from PostgreSQL: everything a batch wants, in a fixed number of statements whatever the batch's size.

Called by the store, with the head locked, in two rounds: what is known by name, then the accounts those rows lead to.
Every statement is an index probe per element of an array parameter; the connection forbids other plans
(`ledger.store`). What the slice holds already is true and is not read again. Text arrays travel as lines, integer
arrays as literals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import psycopg

from ledger import accounts, commands
from ledger.accounts import AccountName
from ledger.answers import LegRef, LotId
from ledger.commands import OpenMerchant, PublishTerms
from ledger.slice import Claim, Lot, Order, Registry, Remembered, Slice
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID

Connection = psycopg.Connection[Any]
Row = tuple[Any, ...]
_ORDER_COLUMNS = 12
"""How many columns of ORDERS are the order's; the rest are those of one of its lots."""
K = TypeVar("K", str, tuple[int, str], Claim, AccountName)

ANSWERS = r"""
SELECT a.key, a.seq IS NOT NULL, coalesce(a.command, j.command), coalesce(a.body, j.receipt)
FROM unnest(string_to_array(%s, E'\n')) AS asked (key)
CROSS JOIN LATERAL (SELECT * FROM ledger.answer WHERE shard = 0 AND key = asked.key LIMIT 1) a
LEFT JOIN LATERAL (SELECT command, receipt FROM ledger.journal WHERE shard = 0 AND seq = a.seq LIMIT 1) j ON true
"""

REGISTRY = """
SELECT command FROM ledger.journal
WHERE shard = 0 AND seq IN (SELECT seq FROM ledger.merchant UNION ALL SELECT seq FROM ledger.terms)
ORDER BY seq
"""

MEMBERS = r"""
SELECT m.name, m.member_no
FROM unnest(string_to_array(%s, E'\n')) AS asked (name)
CROSS JOIN LATERAL (SELECT * FROM ledger.member WHERE shard = 0 AND name = asked.name LIMIT 1) m
"""

CLAIMS = r"""
SELECT c.used, c.merchant_id, c.name, c.seq
FROM unnest(%s::smallint[], %s::integer[], string_to_array(%s, E'\n')) AS asked (used, merchant_id, name)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.claim
    WHERE shard = 0 AND merchant_id = asked.merchant_id AND used = asked.used AND name = asked.name LIMIT 1
) c
"""

_ASKED_ORDERS = r"""
FROM unnest(%s::integer[], string_to_array(%s, E'\n')) AS asked (merchant_id, name)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.orders WHERE shard = 0 AND merchant_id = asked.merchant_id AND name = asked.name LIMIT 1
) o
"""
_LOT = """
l.seq, l.no, l.issuer, l.member_no, m.name, l.terms_id, l.role, l.points,
l.standing, l.remaining, l.confirmed_at_ms, l.expires_at_ms, l.earned_seq, l.earned_leg
"""
# LIMIT 1 and OFFSET 0 keep a lateral subquery what it says: one index probe per row, never planned as a join.
# The statements are put together from the constants above; values travel as parameters.
ORDERS = f"""
SELECT o.merchant_id, o.name, o.seq, o.at_ms, o.member_no, payer.name, o.amount_minor, o.terms_id, o.fee_bps,
       o.confirm_from_ms, o.refunded_minor, o.confirmed_at_ms, {_LOT}
{_ASKED_ORDERS}
CROSS JOIN LATERAL (SELECT name FROM ledger.member WHERE shard = 0 AND member_no = o.member_no LIMIT 1) payer
LEFT JOIN LATERAL (SELECT * FROM ledger.lot WHERE shard = 0 AND seq = o.seq OFFSET 0) l ON true
LEFT JOIN LATERAL (SELECT name FROM ledger.member WHERE shard = 0 AND member_no = l.member_no LIMIT 1) m ON true
ORDER BY l.seq, l.no
"""  # noqa: S608

OPEN_LOTS = rf"""
WITH spender AS (
    SELECT m.member_no
    FROM unnest(string_to_array(%s, E'\n')) AS asked (name)
    CROSS JOIN LATERAL (SELECT member_no FROM ledger.member WHERE shard = 0 AND name = asked.name LIMIT 1) m
    UNION
    SELECT l.member_no
    {_ASKED_ORDERS}
    CROSS JOIN LATERAL (SELECT member_no FROM ledger.lot WHERE shard = 0 AND seq = o.seq OFFSET 0) l
)
SELECT spender.member_no, {_LOT}
FROM spender
LEFT JOIN LATERAL (
    SELECT * FROM ledger.lot WHERE shard = 0 AND member_no = spender.member_no AND open OFFSET 0
) l ON true
LEFT JOIN LATERAL (SELECT name FROM ledger.member WHERE shard = 0 AND member_no = l.member_no LIMIT 1) m ON true
"""  # noqa: S608

ACCOUNTS = """
SELECT asked.i, last.n, last.balance
FROM unnest(%s::smallint[], %s::integer[], %s::bigint[]) WITH ORDINALITY AS asked (family, unit, party, i)
CROSS JOIN LATERAL (
    SELECT n, balance FROM ledger.posting
    WHERE shard = 0 AND family = asked.family AND unit = asked.unit AND party = asked.party
    ORDER BY n DESC LIMIT 1
) last
"""


def lines(values: Iterable[str]) -> str:
    """Text values as one parameter for string_to_array: none of ours can hold a line break."""
    return "\n".join(values)


def integers(values: Iterable[int | None]) -> str:
    """Integers as an array literal: far cheaper than adapting a list."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def answers(rows: Iterable[Row]) -> dict[str, Remembered | None]:
    """What ANSWERS found, by key."""
    return {key: Remembered(command.encode(), body.encode(), done) for key, done, command, body in rows}


def registry(conn: Connection) -> Registry:
    """All merchants and terms, by playing the commands that made them."""
    whole = Registry()
    for (command,) in conn.execute(REGISTRY):
        parsed = commands.parse(command.encode())
        if isinstance(parsed, OpenMerchant):
            whole.add_merchant(parsed)
        elif isinstance(parsed, PublishTerms):
            whole.add_terms(parsed)
    return whole


class Asked(NamedTuple):
    """Names that were asked for, and the cursors that will bring their rows."""

    members: list[str]
    claims: list[Claim]
    orders: list[tuple[int, str]]
    cursors: dict[str, psycopg.Cursor[Row]]


def ask(conn: Connection, state: Slice, want: Wants) -> Asked:
    """Send for what `want` names and `state` does not hold. Inside a pipeline this waits for nothing."""
    asked = Asked(
        members=_missing(want.members, state.members),
        claims=_missing(want.claims, state.claims),
        orders=_missing(want.orders | want.refunded, state.orders),
        cursors={},
    )
    spenders = sorted(name for name in want.spenders if state.members.get(name) not in state.lots_of)
    refunded = sorted(name for name in want.refunded if not _lots_known(state, name))
    for kind, statement, parameters in _statements(asked, spenders, refunded):
        asked.cursors[kind] = conn.execute(statement, parameters, binary=True)
    return asked


def _statements(
    asked: Asked, spenders: list[str], refunded: list[tuple[int, str]]
) -> Iterator[tuple[str, str, list[str]]]:
    if asked.members:
        yield "members", MEMBERS, [lines(asked.members)]
    if asked.claims:
        used, merchants, names = zip(*asked.claims, strict=True)
        yield "claims", CLAIMS, [integers(used), integers(merchants), lines(names)]
    if asked.orders:
        yield "orders", ORDERS, _order_names(asked.orders)
    if spenders or refunded:
        yield "open", OPEN_LOTS, [lines(spenders), *_order_names(refunded)]


def fill(conn: Connection, state: Slice, want: Wants, asked: Asked) -> None:
    """Put what was asked for into `state`, then load the accounts that it leads to."""
    found = asked.cursors
    state.members.update(dict.fromkeys(asked.members))
    state.members.update(dict(found.get("members", ())))
    state.claims.update(dict.fromkeys(asked.claims))
    state.claims.update({Claim(*claim): seq for *claim, seq in found.get("claims", ())})
    state.orders.update(dict.fromkeys(asked.orders))
    _add_orders(state, found.get("orders", ()))
    add_open_lots(state, found.get("open", ()))
    _fill_accounts(conn, state, _missing(_accounts(state, want), state.accounts))


def _missing(wanted: Iterable[K], held: Mapping[K, object]) -> list[K]:
    """What of `wanted` is not held, in order.

    Not `wanted - held.keys()`: that walks everything that is held.
    """
    return sorted(key for key in wanted if key not in held)


def _order_names(orders: Sequence[tuple[int, str]]) -> list[str]:
    return [integers(merchant_id for merchant_id, _ in orders), lines(name for _, name in orders)]


def _lots_known(state: Slice, name: tuple[int, str]) -> bool:
    """Whether the open lots of everybody who earned by this order are held."""
    if name not in state.orders:
        return False
    order = state.orders[name]
    return order is None or all(lot.member_no in state.lots_of for lot in order.lots)


def _add_orders(state: Slice, rows: Iterable[Row]) -> None:
    """Rows are one per lot of an order, in order of lots; the row of an order without lots carries nulls for one."""
    for row in rows:
        order = state.orders[row[0], row[1]] or _order(row[:_ORDER_COLUMNS])
        state.orders[order.merchant_id, order.name] = order
        if row[_ORDER_COLUMNS] is not None:
            order.lots.append(_lot(state, row[_ORDER_COLUMNS:]))


def _order(row: Row) -> Order:
    merchant_id, name, seq, at_ms, member_no, member, amount, terms_id, bps, confirm_from, refunded, confirmed_at = row
    return Order(
        merchant_id=merchant_id,
        name=name,
        seq=seq,
        at_ms=at_ms,
        member_no=member_no,
        member=member,
        amount_minor=amount,
        terms_id=terms_id,
        fee_bps=bps,
        confirm_from_ms=confirm_from,
        refunded_minor=refunded,
        confirmed_at_ms=confirmed_at,
    )


def add_open_lots(state: Slice, rows: Iterable[Row]) -> None:
    """Rows of spenders without an open lot carry nulls: they say that there is none."""
    fresh: dict[int, list[Lot]] = {}
    for spender, *row in rows:
        mine = fresh.setdefault(spender, [])
        if row[0] is not None:
            mine.append(_lot(state, row))
    for member_no, mine in fresh.items():
        state.lots_of.setdefault(member_no, mine)


def _lot(state: Slice, row: Sequence[Any]) -> Lot:
    """The lot of a row, the same object if the slice has it."""
    seq, no, issuer, member_no, member, terms_id, role, points, standing, remaining, confirmed, expires, by, leg = row
    known = state.lots.get(LotId(seq, no))
    if known is not None:
        return known
    lot = Lot(
        id=LotId(seq, no),
        issuer=issuer,
        member_no=member_no,
        member=member,
        terms_id=terms_id,
        role=role,
        points=points,
        standing=standing,
        remaining=remaining,
        confirmed_at_ms=confirmed,
        expires_at_ms=expires,
        earned_by=LegRef(by, leg) if by is not None else None,
    )
    state.lots[lot.id] = lot
    return lot


def _accounts(state: Slice, want: Wants) -> set[AccountName]:
    """Every account that the wanted rows can lead to."""
    merchants = set(want.merchants)
    if want.every_merchant:
        merchants |= state.registry.merchants.keys()
    pairs = {(issuer, state.members[name]) for name, issuers in want.issuers_of.items() for issuer in issuers}
    lots = [lot for key in want.orders | want.refunded for lot in _lots_of_order(state, key)]
    spenders = {state.members[name] for name in want.spenders} | {lot.member_no for lot in lots}
    lots += [lot for member_no in spenders if member_no is not None for lot in state.lots_of.get(member_no, ())]
    pairs |= {(lot.issuer, lot.member_no) for lot in lots}
    merchants |= {issuer for issuer, _ in pairs}
    found = {accounts.fees(OPERATOR_ID), accounts.cash(OPERATOR_ID), accounts.settled(accounts.CHAIN)}
    for issuer in merchants:
        found |= accounts.of_merchant(issuer)
    for issuer, member_no in pairs:
        if member_no is not None:
            found |= {accounts.member(issuer, member_no), accounts.pending(issuer, member_no)}
    return found | _dust_accounts(state, merchants, want.terms)


def _dust_accounts(state: Slice, issuers: set[int], fresh: set[tuple[int, int]]) -> set[AccountName]:
    """A redemption may leave dust under any terms of these issuers whose rate is not one over something."""
    terms = [each for issuer in issuers for each in state.registry.terms_of.get(issuer, ())]
    pairs = {(each.issuer_id, each.terms_id) for each in terms if each.au_num > 1} | fresh
    return {account(*pair) for pair in pairs for account in (accounts.rounding, accounts.rounded)}


def _lots_of_order(state: Slice, key: tuple[int, str]) -> list[Lot]:
    order = state.orders[key]
    return order.lots if order is not None else []


def _fill_accounts(conn: Connection, state: Slice, wanted: Sequence[AccountName]) -> None:
    if not wanted:
        return
    families, units, parties = zip(*wanted, strict=True)
    found = conn.execute(ACCOUNTS, [integers(families), integers(units), integers(parties)], binary=True)
    state.accounts.update(dict.fromkeys(wanted, (0, 0)))
    state.accounts.update({wanted[i - 1]: (n, balance) for i, n, balance in found})
