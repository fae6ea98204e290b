"""What adjusting and approving share: which correction is possible, and how it is carried out. Verbs call it.

Points given are a lot under the issuer's terms in force; points taken come from the member's lots in drawing order,
expired ones included, so that no lot is left while anything is owed; the rest is a debt where the issuer's refunds may
leave one.
"""

from __future__ import annotations

from ledger.commands import Adjust, OpenMerchant, PublishTerms
from ledger.entry import Entry
from ledger.points import limits, orders, wallet
from ledger.points.lots import draw_order, is_open, take
from ledger.points.orders import DAY_MS
from ledger.records import AdjustDay, Adjustment, RecordKind, RecordName
from ledger.refusals import Refused
from ledger.slice import Member, Role, Slice
from proofs.kinds import Kind

WAITING = "waiting"
"""Asked for; a second person has to agree."""
DONE = "done"
REJECTED = "rejected"


def name(issuer: int, adjustment: str) -> RecordName:
    """Where a correction's record stands."""
    return RecordName(RecordKind.ADJUSTMENT.value, issuer, adjustment)


def day_name(command: Adjust) -> RecordName:
    """Where it stands what the command's person corrected alone on its day."""
    return RecordName(RecordKind.ADJUST_DAY.value, command.issuer_id, f"{command.by}/{command.at_ms // DAY_MS}")


def alone_after(state: Slice, command: Adjust) -> int:
    """Points that the person would have corrected alone on that day, this correction included."""
    record = state.records[day_name(command)]
    assert record is None or isinstance(record, AdjustDay)
    return abs(command.points) + (record.points if record else 0)


def called(state: Slice, issuer: int, adjustment: str) -> Adjustment | None:
    """The correction of this name."""
    record = state.records[name(issuer, adjustment)]
    assert record is None or isinstance(record, Adjustment)
    return record


def waiting(state: Slice, issuer: int, adjustment: str) -> Adjustment:
    """The correction of this name that waits. Refusals in order: merchant-unknown, adjustment-unknown,
    adjustment-decided.
    """
    if issuer not in state.registry.merchants:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=issuer)
    record = called(state, issuer, adjustment)
    if record is None:
        raise Refused("adjustment-unknown", "adjustment", adjustment=adjustment)
    if record.state != WAITING:
        raise Refused("adjustment-decided", "adjustment", state=record.state)
    return record


def terms_for(state: Slice, issuer: int, at_ms: int) -> PublishTerms:
    """The terms in force under which points are given. Refusals: terms-missing."""
    terms = state.registry.terms_at(issuer, at_ms)
    if terms is None:
        raise Refused("terms-missing", "issuer_id", issuer_id=issuer, at_ms=at_ms)
    return terms


def carry_out(entry: Entry, merchant: OpenMerchant, member: Member, points: int) -> dict[str, int | str]:
    """Give or take `points`. Refusals in order: merchant-frozen (giving), terms-missing, balance-too-low (taking),
    issuer-over-limit (giving).
    """
    issuer = merchant.merchant_id
    if points > 0 and entry.slice.registry.is_frozen(issuer):
        raise Refused("merchant-frozen", "issuer_id", issuer_id=issuer)
    terms = terms_for(entry.slice, issuer, entry.at_ms)
    if points < 0:
        return _take(entry, merchant, member, terms, -points)
    limits.check_issuing(entry.slice, terms, member.no, points)
    repaid = wallet.gain(
        entry,
        Kind.ADJUST_UP,
        role=Role.ADJUSTED,
        member=member,
        terms=terms,
        points=points,
        expires_at_ms=orders.expiry(merchant, entry.at_ms),
    )
    return {"points": points, "repaid": repaid}


def _take(
    entry: Entry, merchant: OpenMerchant, member: Member, terms: PublishTerms, points: int
) -> dict[str, int | str]:
    issuer = merchant.merchant_id
    mine = [lot for lot in entry.slice.lots_of[member.no] if lot.issuer == issuer and is_open(lot)]
    parts = take(sorted(mine, key=draw_order), points)
    there = sum(given for _, given in parts)
    if there < points and merchant.refund_policy != "debt":
        raise Refused("balance-too-low", "points", asked=points, available=there)
    wallet.take_back(entry, Kind.ADJUST_DOWN, member=member, terms=terms, taken=points, parts=parts)
    wallet.draw_down(entry, parts)
    return {"points": -points, "debt": points - there}
