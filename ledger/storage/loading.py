"""Fill a slice from PostgreSQL: everything a batch wants, in a fixed number of statements whatever the batch's size.

Called by the store, with the head locked, in two rounds: what is known by name, then the accounts those rows lead to.
Every statement is an index probe per element of an array parameter; the connection forbids other plans
(`ledger.store`). What the slice holds already is true and is not read again. Text arrays travel as lines, integer
arrays as literals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from ledger import commands, records
from ledger.accounts import AccountName
from ledger.answers import LegRef, LotId
from ledger.effects import Effects
from ledger.members import reach, tiers, uniting
from ledger.members.kinship import Kinship
from ledger.points import bonuses
from ledger.records import KINDS_WITH_PEOPLE, RecordName
from ledger.registry import Registry
from ledger.slice import Claim, Lot, Member, Order, Remembered, Slice
from ledger.storage import selects
from ledger.storage.wire import Asks, Row, Rows
from ledger.units import REFERRAL_LEVELS_MAX
from ledger.wants import Wants

_json = msgspec.json.Encoder()
_BRACKETS = bytes.maketrans(b"[]", b"{}")
K = TypeVar("K", str, tuple[int, str], Claim, RecordName, LotId, AccountName)


def lines(values: Iterable[str]) -> str:
    """Text values as one parameter for string_to_array: none of ours can hold a line break."""
    return "\n".join(values)


def integers(values: Iterable[int | None]) -> str:
    """Integers as an array literal: JSON in other brackets, because nothing else writes integers as fast."""
    return _json.encode([*values]).translate(_BRACKETS).decode()


def answers(rows: Iterable[Row]) -> dict[str, Remembered | None]:
    """What selects.ANSWERS found, by key."""
    return {key: Remembered(command.encode(), body.encode(), done) for key, done, command, body in rows}


def registry(conn: Asks) -> Registry:
    """What merchants promise, by playing the commands that said it."""
    return played(conn.execute(selects.REGISTRY))


def played(rows: Iterable[Row]) -> Registry:
    """The registry that configuration commands make, in journal order."""
    whole = Registry()
    for (command,) in rows:
        parsed = commands.parse(command.encode())
        assert isinstance(parsed, commands.Configuring)
        whole.play(parsed)
    return whole


class Missing(NamedTuple):
    """What a batch wants, the names of it that are not held, the statements that ask for them, and, once sent, what
    brings the rows. `lists`: what these lead to will ask for rows by what they hold.
    """

    want: Wants
    keys: Sequence[str]
    members: list[str]
    claims: list[Claim]
    records: list[RecordName]
    orders: list[tuple[int, str]]
    lists: bool
    statements: list[tuple[str, str, list[str]]]
    found: dict[str, Rows]

    def independent_of(self, unwritten: Effects) -> bool:
        """Whether rows read while `unwritten` is being written are as good as those read afterwards.

        They are where a row carries the name it is asked by: if it was changed, the slice holds it and its stored
        version is not looked at. A list of rows could lack one, and a record of a kind that names people leads to one.
        """
        kinds = {kind for kind, _, _ in self.statements}
        return not self.lists and kinds <= _BY_NAME and not ("members" in kinds and unwritten.rewired)


_BY_NAME = frozenset({"answers", "members", "claims", "records", "orders"})


def missing(state: Slice, want: Wants, keys: Sequence[str]) -> Missing:
    """What `want` names and `state` does not hold, and whatever was answered to `keys`."""
    asked = Missing(
        want=want,
        keys=keys,
        members=_missing(want.members, state.members),
        claims=_missing(want.claims, state.claims),
        records=_missing(want.records, state.records),
        orders=_missing(want.orders | want.refunded, state.orders),
        lists=bool(want.evaluated or want.merging)
        or not all(state.orders.get(name) for name in want.refunded)
        or _names_strangers(state, want),
        statements=[],
        found={},
    )
    spenders = sorted(name for name in want.spenders if not _spender_known(state, name))
    refunded = sorted(name for name in want.refunded if not _lots_known(state, name))
    asked.statements.extend(_statements(asked, spenders, refunded))
    return asked


def _names_strangers(state: Slice, want: Wants) -> bool:
    """Whether the wanted records name, or may name, somebody whose open lots are not held."""
    for name in want.records:
        if name.kind not in KINDS_WITH_PEOPLE:
            continue
        record = state.records.get(name)
        if name not in state.records:
            return True
        if record is not None and not all(_spender_known(state, member) for _, member in record.people()):
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
        yield "records", selects.RECORDS, _record_names(asked.records)
    if asked.orders:
        yield "orders", selects.ORDERS, _order_names(asked.orders)
    if spenders or refunded:
        yield "open", selects.OPEN_LOTS, [lines(spenders), *_order_names(refunded)]


def fill(conn: Asks, state: Slice, asked: Missing, in_flight: Mapping[str, Remembered | None]) -> None:
    """Put what was asked for into `state`, then load the lots and the accounts that it leads to. `in_flight` has the
    answers that are not written yet.
    """
    found, want = asked.found, asked.want
    state.answers = {key: in_flight.get(key) for key in asked.keys}
    state.answers.update(answers(found["answers"]))
    _add_members(state, asked.members, found.get("members", ()))
    state.claims.update(dict.fromkeys(asked.claims))
    state.claims.update({Claim(*claim): seq for *claim, seq in found.get("claims", ())})
    _add_records(state, asked.records, found.get("records", ()))
    _fill_records(conn, state, want)
    state.orders.update(dict.fromkeys(asked.orders))
    _add_orders(state, found.get("orders", ()))
    add_open_lots(state, found.get("open", ()))
    _fill_people(conn, state, {name for _, name in reach.recorded_people(state, want)})
    _fill_rewarded(conn, state, want)
    _fill_bought(conn, state, want)
    _fill_lots(conn, state, _missing(reach.recorded_lots(state, want), state.lots))
    _fill_merged(conn, state, want)
    _fill_accounts(conn, state, _missing(reach.wanted_accounts(state, want), state.accounts))


def _add_members(state: Slice, asked: Iterable[str], rows: Iterable[Row]) -> None:
    state.members.update(dict.fromkeys(asked))
    for row in rows:
        person = _person(state, row)
        state.members[person.name] = person.no


def _fill_people(conn: Asks, state: Slice, names: set[str]) -> None:
    """Who only records name is loaded as who is named in a command, with open lots."""
    unknown = _missing(names, state.members)
    if unknown:
        _add_members(state, unknown, conn.execute(selects.MEMBERS, [lines(unknown)], binary=True))
    spenders = sorted(name for name in names if not _spender_known(state, name))
    if spenders:
        add_open_lots(state, conn.execute(selects.OPEN_LOTS, [lines(spenders), *_order_names([])], binary=True))


def _fill_merged(conn: Asks, state: Slice, want: Wants) -> None:
    """Whoever was merged into a member that is being merged, and whom the owners of wanted lots mean."""
    names = {name for pair in want.merging for name in pair}
    owners = {state.identity(lot.member_no) for lot in reach.wanted_lots(state, want)}
    unknown = [no for no in owners if no not in state.people]
    if names or unknown:
        for row in conn.execute(selects.MERGED, [lines(names), integers(unknown)], binary=True):
            _person(state, row)


def _fill_rewarded(conn: Asks, state: Slice, want: Wants) -> None:
    """The open lots of those whom an order may reward that this batch makes and gives back."""
    if all(state.orders[name] for name in want.refunded):
        return
    kin = Kinship(state, want)
    above = {no for name in want.buyers for no in kin.above(name, REFERRAL_LEVELS_MAX)}
    names = sorted(state.people[no].name for no in above if no not in state.lots_of)
    if names:
        add_open_lots(state, conn.execute(selects.OPEN_LOTS, [lines(names), "{}", ""], binary=True))


def _fill_bought(conn: Asks, state: Slice, want: Wants) -> None:
    """What members whose tier is asked for bought, read anew by every batch that asks."""
    state.bought = {}
    settings = state.registry.tiers
    spans = want.tier_spans_ms + ([tiers.span_ms(settings)] if settings is not None else [])
    if not want.evaluated or not spans:
        return
    names, times = zip(*_evaluated(want), strict=True)
    rows = conn.execute(selects.BOUGHT, [lines(names), integers(at - max(spans) for at in times)], binary=True)
    add_bought(state, rows)


def _evaluated(want: Wants) -> list[tuple[str, int]]:
    """(member, instant); members that are being merged may turn out to be those."""
    first = min(at for _, at in want.evaluated)
    return want.evaluated + [(name, first) for pair in want.merging for name in pair]


def add_bought(state: Slice, rows: Iterable[Row]) -> None:
    """Rows of buyers without such a lot carry nulls: they say that there is none."""
    for row in rows:
        buyer, lot = _person(state, row[: selects.PERSON_COLUMNS]), row[selects.PERSON_COLUMNS :]
        mine = state.bought.setdefault(buyer.no, [])
        if lot[0] is not None:
            mine.append(_lot(state, lot))


def _add_records(state: Slice, asked: Iterable[RecordName], rows: Iterable[Row]) -> None:
    state.records.update(dict.fromkeys(asked))
    for kind, party, name, body in rows:
        state.records[RecordName(kind, party, name)] = records.parse(body.encode())


def _fill_records(conn: Asks, state: Slice, want: Wants) -> None:
    """The counters of rules, whose names are known once the members are."""
    names = bonuses.record_names(state, want) if want.events else set()
    if want.merging:
        names.update(uniting.record_names(state, want))
    if wanted := _missing(names, state.records):
        _add_records(state, wanted, conn.execute(selects.RECORDS, _record_names(wanted), binary=True))


def _record_names(wanted: Sequence[RecordName]) -> list[str]:
    kinds, parties, names = zip(*wanted, strict=True)
    return [integers(kinds), integers(parties), lines(names)]


def _fill_lots(conn: Asks, state: Slice, wanted: Sequence[LotId]) -> None:
    if not wanted:
        return
    seqs, numbers = zip(*wanted, strict=True)
    for row in conn.execute(selects.LOTS, [integers(seqs), integers(numbers)], binary=True):
        _lot(state, row[: selects.LOT_COLUMNS])
        _person(state, row[selects.LOT_COLUMNS :])


def _person(state: Slice, row: Sequence[Any]) -> Member:
    """The member of a row, the same object if the slice has it."""
    no, name, bonded, referrer, merged_into, frozen, closed, tier, since = row
    known = state.people.get(no)
    if known is not None:
        return known
    person = Member(
        no=no,
        name=name,
        bonded=bonded,
        referrer=referrer,
        merged_into=merged_into,
        frozen=frozen,
        closed=closed,
        tier=tier,
        tier_since_ms=since,
    )
    state.people[no] = person
    if merged_into is not None:
        state.merged.setdefault(merged_into, set()).add(no)
    return person


def _spender_known(state: Slice, name: str) -> bool:
    """Whether the open lots of whom this name means are held."""
    number = state.members.get(name)
    if number is None:
        return name in state.members
    return state.identity(number) in state.lots_of


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
    return order is None or all(state.identity(lot.member_no) in state.lots_of for lot in order.lots)


def _add_orders(state: Slice, rows: Iterable[Row]) -> None:
    """Rows are one per lot of an order, in order of lots; the row of an order without lots carries nulls for one."""
    for row in rows:
        payer, lot, owner = (row[start:end] for start, end in selects.AFTER_ORDER)
        order = state.orders[row[0], row[1]] or _order(row[: selects.ORDER_COLUMNS], _person(state, payer))
        state.orders[order.merchant_id, order.name] = order
        if lot[0] is not None:
            order.lots.append(_lot(state, lot))
            _person(state, owner)


def _order(row: Row, payer: Member) -> Order:
    merchant_id, name, seq, at_ms, member_no, amount, terms_id, bps, campaign, confirm_from, *ends = row
    refunded, confirmed_at = ends
    return Order(
        merchant_id=merchant_id,
        name=name,
        seq=seq,
        at_ms=at_ms,
        member_no=member_no,
        member=payer.name,
        amount_minor=amount,
        terms_id=terms_id,
        fee_bps=bps,
        campaign_id=campaign,
        confirm_from_ms=confirm_from,
        refunded_minor=refunded,
        confirmed_at_ms=confirmed_at,
    )


def add_open_lots(state: Slice, rows: Iterable[Row]) -> None:
    """Rows of spenders without an open lot carry nulls: they say that there is none."""
    fresh: dict[int, list[Lot]] = {}
    for row in rows:
        spender, lot = _person(state, row[: selects.PERSON_COLUMNS]), row[selects.PERSON_COLUMNS :]
        mine = fresh.setdefault(spender.no, [])
        if lot[0] is not None:
            mine.append(_lot(state, lot))
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


def _fill_accounts(conn: Asks, state: Slice, wanted: Sequence[AccountName]) -> None:
    if not wanted:
        return
    families, units, parties = zip(*wanted, strict=True)
    found = conn.execute(selects.ACCOUNTS, [integers(families), integers(units), integers(parties)], binary=True)
    state.accounts.update(dict.fromkeys(wanted, (0, 0)))
    state.accounts.update({wanted[i - 1]: (n, balance) for i, n, balance in found})
