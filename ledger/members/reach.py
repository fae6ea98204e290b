"""What a batch can lead to: the lots that it works on and the accounts that it may post to, told from what is held
before any of it is decided. Pure; loading asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger import accounts
from ledger.accounts import AccountName
from ledger.answers import LotId
from ledger.members.kinship import Kinship
from ledger.slice import Lot, Slice
from ledger.units import REFERRAL_LEVELS_MAX
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID, RESERVE_ID


def recorded_lots(state: Slice, want: Wants) -> set[LotId]:
    """The lots that the wanted records name."""
    found = (state.records[name] for name in want.records)
    return {lot_id for record in found if record is not None for lot_id in record.lot_ids()}


def recorded_people(state: Slice, want: Wants) -> set[tuple[int, str]]:
    """(issuer, member) that the wanted records name."""
    found = (state.records[name] for name in want.records)
    return {pair for record in found if record is not None for pair in record.people()}


def wanted_lots(state: Slice, want: Wants) -> list[Lot]:
    """Of wanted orders and records."""
    lots = [lot for key in want.orders | want.refunded for lot in _lots_of_order(state, key)]
    return lots + [state.lots[lot_id] for lot_id in recorded_lots(state, want)]


def wanted_accounts(state: Slice, want: Wants) -> set[AccountName]:
    """Every account that the wanted rows can lead to."""
    merchants = set(want.merchants)
    if want.every_merchant:
        merchants |= state.registry.merchants.keys()
    pairs = set(_named_pairs(state, want))
    lots = wanted_lots(state, want)
    spenders = {state.identity(lot.member_no) for lot in lots}
    spenders |= {person.no for name in want.spenders if (person := state.member(name)) is not None}
    recorded = [(issuer, state.member(name)) for issuer, name in recorded_people(state, want)]
    spenders |= {person.no for _, person in recorded if person is not None}
    pairs |= {(issuer, person.no) for issuer, person in recorded if person is not None}
    pairs |= {(lot.issuer, state.identity(lot.member_no)) for lot in lots}
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
    """(issuer, member) for members wanted with every issuer, for those named with issuers, and for those above them
    where the issuer pays referrals.
    """
    paying = state.registry.campaigns_of.keys() | want.sponsors
    kin = Kinship(state, want)
    every = state.registry.merchants.keys() | want.merchants if want.everywhere else ()
    for name in want.everywhere:
        yield from ((issuer, no) for issuer in every for no in kin.numbers(name))
    for name, issuers in want.issuers_of.items():
        for no in kin.numbers(name):
            yield from ((issuer, no) for issuer in issuers)
        above = kin.above(name, REFERRAL_LEVELS_MAX) if not paying.isdisjoint(issuers) else ()
        yield from ((issuer, no) for issuer in issuers & paying for no in above)


def _dust_accounts(state: Slice, issuers: set[int], fresh: set[tuple[int, int]]) -> set[AccountName]:
    """A redemption may leave dust under any terms of these issuers whose rate is not one over something."""
    terms = [each for issuer in issuers for each in state.registry.terms_of.get(issuer, ())]
    pairs = {(each.issuer_id, each.terms_id) for each in terms if each.au_num > 1 or each.mode} | fresh
    return {account(*pair) for pair in pairs for account in (accounts.rounding, accounts.rounded)}


def _lots_of_order(state: Slice, key: tuple[int, str]) -> list[Lot]:
    order = state.orders[key]
    return order.lots if order is not None else []
