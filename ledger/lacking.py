"""What a batch wants and the slice does not hold, and the statements that ask for it.

Whatever is held is true and not asked for again. Text arrays travel as lines, integer arrays as literals. No rows are
read here (`ledger.loading`); called by the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from ledger import selects
from ledger.accounts import AccountName
from ledger.answers import LotId
from ledger.effects import Effects
from ledger.records import KINDS_WITH_PEOPLE, RecordName
from ledger.slice import Claim, Slice
from ledger.wants import Wants
from ledger.wire import Asks, Rows

_json = msgspec.json.Encoder()
_BRACKETS = bytes.maketrans(b"[]", b"{}")
K = TypeVar("K", str, tuple[int, str], Claim, RecordName, LotId, AccountName)


def lines(values: Iterable[str]) -> str:
    """Text values as one parameter for string_to_array: none of ours can hold a line break."""
    return "\n".join(values)


def integers(values: Iterable[int | None]) -> str:
    """Integers as an array literal: JSON in other brackets, because nothing else writes integers as fast."""
    return _json.encode([*values]).translate(_BRACKETS).decode()


class Missing(NamedTuple):
    """What a batch wants, the names of it that are not held, the statements that ask for them, and, once sent, what
    brings the rows.
    """

    want: Wants
    keys: Sequence[str]
    members: list[str]
    claims: list[Claim]
    records: list[RecordName]
    orders: list[tuple[int, str]]
    leads_to_lots: bool
    statements: list[tuple[str, str, list[str]]]
    found: dict[str, Rows]

    def independent_of(self, unwritten: Effects) -> bool:
        """Whether rows read while `unwritten` is being written are as good as those read afterwards.

        They are where a row carries the name it is asked by: if it was changed, the slice holds it and its stored
        version is not looked at. A list of rows could lack one, and a record of a kind that names people leads to one.
        """
        if self.leads_to_lots:
            return False
        kinds = {kind for kind, _, _ in self.statements}
        return kinds <= _BY_NAME and not ("members" in kinds and unwritten.changed_members)


_BY_NAME = frozenset({"answers", "members", "claims", "records", "orders"})


def missing(state: Slice, want: Wants, keys: Sequence[str]) -> Missing:
    """What `want` names and `state` does not hold, and whatever was answered to `keys`."""
    asked = Missing(
        want=want,
        keys=keys,
        members=not_held(want.members, state.members),
        claims=not_held(want.claims, state.claims),
        records=not_held(want.records, state.records),
        orders=not_held(want.orders | want.refunded, state.orders),
        leads_to_lots=_leads_to_lots(state, want),
        statements=[],
        found={},
    )
    spenders = sorted(name for name in want.spenders if not spender_known(state, name))
    refunded = sorted(name for name in want.refunded if not _lots_known(state, name))
    asked.statements.extend(_statements(asked, spenders, refunded))
    return asked


def _leads_to_lots(state: Slice, want: Wants) -> bool:
    """Whether the wanted records name, or may name, somebody whose open lots are not held."""
    for name in want.records:
        if name.kind in KINDS_WITH_PEOPLE:
            record = state.records.get(name)
            if name not in state.records or (
                record is not None and not all(spender_known(state, member) for _, member in record.people())
            ):
                return True
    return False


def send(conn: Asks, asked: Missing) -> Missing:
    """Send for it. On a wire this waits for nothing."""
    for kind, statement, parameters in asked.statements:
        asked.found[kind] = conn.execute(statement, parameters, binary=True)
    return asked


def _statements(
    asked: Missing, spenders: list[str], refunded: list[tuple[int, str]]
) -> Iterator[tuple[str, str, list[str]]]:
    yield "answers", selects.ANSWERS, [lines(set(asked.keys))]
    if asked.members:
        yield "members", selects.MEMBERS, [lines(asked.members)]
    if asked.claims:
        used, merchants, names = zip(*asked.claims, strict=True)
        yield "claims", selects.CLAIMS, [integers(used), integers(merchants), lines(names)]
    if asked.records:
        yield "records", selects.RECORDS, record_names(asked.records)
    if asked.orders:
        yield "orders", selects.ORDERS, order_names(asked.orders)
    if spenders or refunded:
        yield "open", selects.OPEN_LOTS, [lines(spenders), *order_names(refunded)]


def record_names(wanted: Sequence[RecordName]) -> list[str]:
    kinds, parties, names = zip(*wanted, strict=True)
    return [integers(kinds), integers(parties), lines(names)]


def spender_known(state: Slice, name: str) -> bool:
    """Whether the open lots of whom this name means are held."""
    number = state.members.get(name)
    if number is None:
        return name in state.members
    person = state.people[number]
    return (person.merged_into or number) in state.lots_of


def not_held(wanted: Iterable[K], held: Mapping[K, object]) -> list[K]:
    """What of `wanted` is not held, in order.

    Not `wanted - held.keys()`: that walks everything that is held.
    """
    return sorted(key for key in wanted if key not in held)


def order_names(orders: Sequence[tuple[int, str]]) -> list[str]:
    return [integers(merchant_id for merchant_id, _ in orders), lines(name for _, name in orders)]


def _lots_known(state: Slice, name: tuple[int, str]) -> bool:
    """Whether the open lots of everybody who earned by this order are held."""
    if name not in state.orders:
        return False
    order = state.orders[name]
    return order is None or all(state.person(lot.member_no).no in state.lots_of for lot in order.lots)
