"""Fill a slice from PostgreSQL: everything a batch wants, in a fixed number of statements whatever the batch's size.

Called by the store, with the head locked, in two rounds: what is known by name, then the accounts those rows lead to.
Every statement is an index probe per element of an array parameter; the connection forbids other plans
(`ledger.store`). What is asked for by name, and how, is `ledger.lacking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ledger import accounts, bonuses, commands, records, selects
from ledger.accounts import AccountName
from ledger.answers import LegRef, LotId
from ledger.lacking import Missing, integers, lines, not_held, order_names, record_names, spender_known
from ledger.records import RecordName
from ledger.referral import upline
from ledger.registry import Registry
from ledger.slice import Claim, Lot, Member, Order, Remembered, Slice
from ledger.units import REFERRAL_LEVELS_MAX
from ledger.wants import Wants
from ledger.wire import Asks, Row
from proofs.accounts import OPERATOR_ID, RESERVE_ID


def answers(rows: Iterable[Row]) -> dict[str, Remembered | None]:
    """What selects.ANSWERS found, by key."""
    return {key: Remembered(command.encode(), body.encode(), done) for key, done, command, body in rows}


def registry(conn: Asks) -> Registry:
    """What merchants promise, by playing the commands that said it."""
    whole = Registry()
    for (command,) in conn.execute(selects.REGISTRY):
        parsed = commands.parse(command.encode())
        assert isinstance(parsed, commands.Configuring)
        whole.play(parsed)
    return whole


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
    _fill_records(conn, state, not_held(bonuses.record_names(state, want), state.records))
    state.orders.update(dict.fromkeys(asked.orders))
    _add_orders(state, found.get("orders", ()))
    add_open_lots(state, found.get("open", ()))
    _fill_people(conn, state, {name for _, name in _recorded_people(state, want)})
    _fill_lots(conn, state, not_held(_recorded_lots(state, want), state.lots))
    _fill_accounts(conn, state, not_held(_accounts(state, want), state.accounts))


def _add_members(state: Slice, asked: Iterable[str], rows: Iterable[Row]) -> None:
    state.members.update(dict.fromkeys(asked))
    for row in rows:
        person = _person(state, row)
        state.members[person.name] = person.no


def _recorded_people(state: Slice, want: Wants) -> set[tuple[int, str]]:
    """(issuer, member) that the wanted records name."""
    found = (state.records[name] for name in want.records)
    return {pair for record in found if record is not None for pair in record.people()}


def _fill_people(conn: Asks, state: Slice, names: set[str]) -> None:
    """Who only records name is loaded as who is named in a command, with open lots."""
    unknown = not_held(names, state.members)
    if unknown:
        _add_members(state, unknown, conn.execute(selects.MEMBERS, [lines(unknown)], binary=True))
    spenders = sorted(name for name in names if not spender_known(state, name))
    if spenders:
        add_open_lots(state, conn.execute(selects.OPEN_LOTS, [lines(spenders), *order_names([])], binary=True))


def _recorded_lots(state: Slice, want: Wants) -> set[LotId]:
    """The lots that the wanted records name."""
    found = (state.records[name] for name in want.records)
    return {lot_id for record in found if record is not None for lot_id in record.lot_ids()}


def _add_records(state: Slice, asked: Iterable[RecordName], rows: Iterable[Row]) -> None:
    state.records.update(dict.fromkeys(asked))
    for kind, party, name, body in rows:
        state.records[RecordName(kind, party, name)] = records.parse(body.encode())


def _fill_records(conn: Asks, state: Slice, wanted: Sequence[RecordName]) -> None:
    """The counters of rules, whose names are known once the members are."""
    if wanted:
        _add_records(state, wanted, conn.execute(selects.RECORDS, record_names(wanted), binary=True))


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
    return person


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


def _accounts(state: Slice, want: Wants) -> set[AccountName]:
    """Every account that the wanted rows can lead to."""
    merchants = set(want.merchants)
    if want.every_merchant:
        merchants |= state.registry.merchants.keys()
    pairs = set(_named_pairs(state, want))
    lots = [lot for key in want.orders | want.refunded for lot in _lots_of_order(state, key)]
    lots += [state.lots[lot_id] for lot_id in _recorded_lots(state, want)]
    spenders = {state.person(lot.member_no).no for lot in lots}
    spenders |= {person.no for name in want.spenders if (person := state.member(name)) is not None}
    recorded = [(issuer, state.member(name)) for issuer, name in _recorded_people(state, want)]
    spenders |= {person.no for _, person in recorded if person is not None}
    pairs |= {(issuer, person.no) for issuer, person in recorded if person is not None}
    pairs |= {(lot.issuer, state.person(lot.member_no).no) for lot in lots}
    pairs |= {(lot.issuer, no) for no in spenders for lot in state.lots_of.get(no, ())}
    merchants |= {issuer for issuer, _ in pairs}
    found = {
        accounts.fees(OPERATOR_ID),
        accounts.cash(OPERATOR_ID),
        accounts.cash(RESERVE_ID),
        accounts.settled(accounts.CHAIN),
        accounts.promised(accounts.ALLIANCE),
    }
    # A merchant's accounts are loaded together, and a member's with an issuer: one of them tells of all.
    held = state.accounts
    for issuer in merchants:
        if accounts.outstanding(issuer) not in held:
            found |= accounts.of_merchant(issuer)
    for issuer, member_no in pairs:
        mine = accounts.member(issuer, member_no)
        if mine not in held:
            found |= {mine, accounts.pending(issuer, member_no), accounts.held(issuer, member_no)}
    return found | _dust_accounts(state, merchants, want.terms)


def _named_pairs(state: Slice, want: Wants) -> Iterator[tuple[int, int]]:
    """(issuer, member) for members named with issuers, and for those above them where the issuer pays referrals."""
    for name, issuers in want.issuers_of.items():
        person = state.member(name)
        if person is None:
            continue
        above = [each.no for each in upline(state, person, REFERRAL_LEVELS_MAX)]
        for issuer in issuers:
            yield issuer, person.no
            if issuer in state.registry.campaigns_of:
                yield from ((issuer, no) for no in above)


def _dust_accounts(state: Slice, issuers: set[int], fresh: set[tuple[int, int]]) -> set[AccountName]:
    """A redemption may leave dust under any terms of these issuers whose rate is not one over something."""
    terms = [each for issuer in issuers for each in state.registry.terms_of.get(issuer, ())]
    pairs = {(each.issuer_id, each.terms_id) for each in terms if each.au_num > 1 or each.mode} | fresh
    return {account(*pair) for pair in pairs for account in (accounts.rounding, accounts.rounded)}


def _lots_of_order(state: Slice, key: tuple[int, str]) -> list[Lot]:
    order = state.orders[key]
    return order.lots if order is not None else []


def _fill_accounts(conn: Asks, state: Slice, wanted: Sequence[AccountName]) -> None:
    if not wanted:
        return
    families, units, parties = zip(*wanted, strict=True)
    found = conn.execute(selects.ACCOUNTS, [integers(families), integers(units), integers(parties)], binary=True)
    state.accounts.update(dict.fromkeys(wanted, (0, 0)))
    state.accounts.update({wanted[i - 1]: (n, balance) for i, n, balance in found})
