"""Whether a leaf is in order at a glance: its words split once, and judged by what all leaves of its form share.

An event's form (kind, parties, terms, which of its fields are zero) decides who signs, which accounts it posts to and
by which rate, so those are worked out once for each form, by the rules themselves (`proofs.kinds`), and then only
compared. A glance says yes or no and never why: the hot loop in `scan` takes what is in order, `examine` explains the
rest, and a test holds the two against each other over every field. Source: protocol §2.3, §2.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import NamedTuple

from auditor.examine import Law, mode_of
from auditor.figures import Figures
from auditor.originals import LANE_BYTES
from auditor.relations import MENTIONED
from proofs.accounts import MEMBER, lane_account
from proofs.kinds import (
    Effects,
    Kind,
    broken_rules,
    effects,
    pays_reserve,
    points_sign,
    reserve_points,
    rounding_max,
    settles_cash,
)
from proofs.lpb1 import FileError
from proofs.messages import PointsEvent
from proofs.tariff import NO_FEES
from proofs.words import INT128_MAX, INT128_MIN, WORD_BYTES, padding_of

FORMS_MAX = 2**16
"""Forms remembered before a shard begins anew: an adversary may invent as many as it likes."""
SLOTS = 4
EVENT_END = PointsEvent.WORDS * WORD_BYTES
SLOTS_AT = EVENT_END + 2 * WORD_BYTES
SLOT_BYTES = 5 * WORD_BYTES
TAIL_AT = SLOTS_AT + SLOTS * SLOT_BYTES
EMPTY_SLOT = bytes(SLOT_BYTES)
_SLOT_LAYOUT = "32s24xQ24xQ32s32s"
_EVENT_LAYOUT = "31xB28xI28xI24xQ24xQ28xI32s24xQ28xI16x16s32s28xI31xB16x16s32s"
_LAYOUT = _EVENT_LAYOUT + "32s32s" + _SLOT_LAYOUT * SLOTS + "32s24xQ24xQ"
_WORDS = struct.Struct(">" + _LAYOUT)
_PADDING = padding_of(_LAYOUT)
_KINDS = frozenset(Kind)
_ZERO_WIDE, _ZERO_WORD = bytes(16), bytes(WORD_BYTES)


class Move(NamedTuple):
    """A posting as it stands in a slot."""

    account: bytes
    seq: int
    prev_leaf_no: int
    delta: int
    balance: int


class Seen(NamedTuple):
    """The fields of a leaf that the scan works with; `moves` are the four slots, None where one is empty."""

    kind: int
    merchant_id: int
    key_id: int
    nonce: int
    occurred_at: int
    issuer_id: int
    member_ref: bytes
    points: int
    terms_id: int
    settle_amount: int
    ref_event_id: bytes
    campaign_id: int
    level: int
    basis: int
    sig_r: bytes
    sig_vs: bytes
    moves: list[Move | None]
    total: int
    leaf_no: int
    lane_prev_leaf_no: int


@dataclass(slots=True)
class Form:
    """What all leaves of one form share. `in_order` is False where the form itself breaks a rule: then nothing else
    matters. `sign` is that of the points; `accounts` are issuer, debtor, creditor, None where nothing may be posted;
    `reserve` is (num, den, rounding) where cash is between issuer and reserve. `mentioned`: it has to be seen with
    others. Its fee is `fee_bps` of its cash, or of its points at `worth`.
    """

    in_order: bool
    signer: bytes | None
    lane: bytes
    sign: int
    accounts: tuple[bytes | None, bytes | None, bytes | None]
    posts_member: bool
    rate: tuple[int, int] | None
    returns: bool
    reserve: tuple[int, int, int] | None
    lane_id: bytes
    mentioned: bool
    fee_bps: int
    worth: tuple[int, int] | None
    who: tuple[int, int]
    leaves: int = 0
    points: int = 0
    cash: int = 0

    def fits(self, seen: Seen) -> bool:
        """Whether amounts and postings are those of the form: rate, accounts, deltas."""
        if self.rate is not None and not self._rate_holds(seen):
            return False
        issuer, debtor, creditor, member = seen.moves
        if self.reserve is not None and not (member is not None and self._reserve_follows(seen, member.balance)):
            return False
        delta, cash = self.sign * seen.points, seen.settle_amount
        due_issuer, due_debtor, due_creditor = self.accounts
        return (
            _is(issuer, due_issuer, delta)
            and _is(debtor, due_debtor, -cash)
            and _is(creditor, due_creditor, cash)
            and (
                member is not None and member.account[0] == MEMBER and member.delta == delta
                if self.posts_member
                else member is None
            )
        )

    def _rate_holds(self, seen: Seen) -> bool:
        """As `proofs.kinds.rate_holds`."""
        assert self.rate is not None
        num, den = self.rate
        short = seen.points * num - seen.settle_amount * den
        return -num < short < num if self.returns else 0 <= short < num

    def _reserve_follows(self, seen: Seen, balance: int) -> bool:
        """As `proofs.kinds.reserve_follows`."""
        assert self.reserve is not None
        num, den, miss = self.reserve
        return abs(seen.settle_amount * den - reserve_points(seen.kind, seen.points, balance) * num) < miss


def _is(move: Move | None, account: bytes | None, delta: int) -> bool:
    if move is None:
        return account is None
    return move.account == account and move.delta == delta


class Forms:
    """The forms met so far."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._known: dict[tuple[int | bool, ...], Form] = {}
        self.figures = Figures()
        """What the forms counted that were forgotten or handed in."""

    def of(self, seen: Seen) -> Form:
        """The form of a leaf."""
        key = (
            seen.kind,
            seen.merchant_id,
            seen.key_id,
            seen.issuer_id,
            seen.terms_id,
            seen.campaign_id,
            seen.level,
            seen.points == 0,
            seen.settle_amount == 0,
            seen.member_ref == _ZERO_WORD,
            seen.ref_event_id == _ZERO_WORD,
            seen.basis == 0,
        )
        form = self._known.get(key)
        if form is None:
            if len(self._known) >= FORMS_MAX:
                self.count()
            form = self._known[key] = _form(self._law, seen)
        return form

    def count(self) -> None:
        """Move what the forms counted into the figures, and forget them."""
        for form in self._known.values():
            self.figures.leaves[form.who] += form.leaves
            self.figures.points[form.who] += form.points
            if form.rate is not None:
                num, den = form.rate
                dust = (form.points * num - form.cash * den) // den
                self.figures.dust += -dust if form.returns else dust
        self._known.clear()


def _form(law: Law, seen: Seen) -> Form:
    """What the rules say of this leaf but for its amounts, and so of all of its form."""
    event = replace(PointsEvent(*seen[:14], detail_hash=_ZERO_WORD), nonce=1)
    signer = law.registry.key_at(event.merchant_id, event.key_id, batch_no=law.batch_no, kind=event.kind)
    terms = law.registry.terms.get(event.terms_id)
    broken = set(broken_rules(event, terms, law.batch_no)) - {"rate"}
    known = event.kind in _KINDS
    due = effects(event, mode_of(terms)) if known else Effects()
    priced = known and terms is not None and not broken and settles_cash(event, terms.mode)
    reserved = priced and terms is not None and pays_reserve(event.kind, terms)
    return Form(
        in_order=known and not broken and signer is not None,
        signer=signer,
        lane=lane_account(event.merchant_id, event.key_id),
        sign=points_sign(event.kind),
        accounts=(_account(due.issuer), _account(due.debtor), _account(due.creditor)),
        posts_member=due.member is not None,
        rate=(terms.num, terms.den) if priced and not reserved and terms is not None else None,
        returns=event.kind == Kind.REFUND_REDEEM,
        reserve=(terms.num, terms.den, rounding_max(terms)) if reserved and terms is not None else None,
        lane_id=lane_account(event.merchant_id, event.key_id)[1 : 1 + LANE_BYTES],
        mentioned=event.kind in MENTIONED,
        who=(event.merchant_id, event.kind),
        fee_bps=_fee_bps(law, event),
        worth=(terms.num, terms.den) if event.kind == Kind.EARN and terms is not None and terms.den else None,
    )


def _fee_bps(law: Law, event: PointsEvent) -> int:
    """What accrues on such a leaf: a redemption that is paid for, or an earning."""
    fees = NO_FEES if law.tariff is None else law.tariff.fees.get(event.merchant_id, NO_FEES)
    if event.kind == Kind.EARN:
        return fees.issuance_bps
    return fees.redemption_bps if event.kind == Kind.REDEEM else 0


def _account(leg: tuple[bytes, int] | None) -> bytes | None:
    return None if leg is None else leg[0]


def split(raw: bytes) -> Seen:
    """The words of a record as numbers. Raises `FileError` when one is not canonical, as `parse_record` does."""
    v = _WORDS.unpack(raw)
    total = int.from_bytes(v[37], "big", signed=True)
    if int.from_bytes(raw, "big") & _PADDING or not INT128_MIN <= total <= INT128_MAX:
        raise FileError("a word has bits outside its type")
    settle = 0 if v[9] == _ZERO_WIDE else int.from_bytes(v[9], "big")
    basis = 0 if v[13] == _ZERO_WIDE else int.from_bytes(v[13], "big")
    moves = [_move(raw, v, slot) for slot in range(SLOTS)]
    event = (*v[:9], settle, *v[10:13], basis)
    return Seen._make((*event, v[15], v[16], moves, total, v[38], v[39]))


def _move(raw: bytes, values: tuple[int | bytes, ...], slot: int) -> Move | None:
    """One slot; compared with an empty one only where its account is zero, which no honest account is."""
    at = 17 + 5 * slot
    account, seq, prev_leaf_no, delta_word, balance_word = values[at : at + 5]
    if account == _ZERO_WORD:
        start = SLOTS_AT + slot * SLOT_BYTES
        if raw[start : start + SLOT_BYTES] == EMPTY_SLOT:
            return None
    delta = int.from_bytes(delta_word, "big", signed=True)  # type: ignore[arg-type] # the layout says bytes
    balance = int.from_bytes(balance_word, "big", signed=True)  # type: ignore[arg-type] # the layout says bytes
    if not (INT128_MIN <= delta <= INT128_MAX and INT128_MIN <= balance <= INT128_MAX):
        raise FileError("a posting does not fit int128")
    return Move(account, seq, prev_leaf_no, delta, balance)  # type: ignore[arg-type] # the layout says which is which
