"""Checks 20 to 24: leaves that only make sense together with an earlier one, and what follows from the tariff.

Refunds stay within what they refund, what takes in points takes in what was given, a purchase rewards each level once
and by its campaign's rule, fees do not exceed what accrued. Works leaf by leaf in order, on what `scan` mentions and on
the leaves in short (`originals`); a reference that points before the audited range is counted as unseen, never as held.
Called by `batch`. Source: protocol §2.4, §6; docs/decisions/0150.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from auditor.findings import Findings
from auditor.originals import EVENT_ID_BYTES, LANE_BYTES, PAIRED, Original, Originals, Run
from proofs.accounts import OPERATOR_ID
from proofs.kinds import BASE_UNITS_PER_AU, Kind, Terms
from proofs.tariff import BPS, NO_FEES, Fees, Rate, Tariff, reward_value

TAKEN, EXPIRED, GIVEN, CHARGED, REWARDED = 20, 21, 22, 23, 24
_SECONDS_PER_DAY = 86_400
_EARNED = frozenset({Kind.EARN, Kind.REFERRAL})
_PURCHASES = frozenset({Kind.EARN, Kind.REDEEM})
_GIVES = {Kind.EXCHANGE_IN: Kind.EXCHANGE_OUT, Kind.TRANSFER_IN: Kind.TRANSFER_OUT}
MENTIONED = (
    frozenset({Kind.REFUND_EARN, Kind.REFUND_REDEEM, Kind.EXPIRE, Kind.REFERRAL, Kind.REFERRAL_CASH, Kind.FEE})
    | frozenset(_GIVES)
    | frozenset(_GIVES.values())
)
"""The kinds that point back, are pointed at and waited for, or charge for others."""


class Mention(NamedTuple):
    """A leaf that has to be seen together with others. `lane` is merchant ‖ key; `accrued` are the fees of its payer
    since the charge before it or the shard's beginning.
    """

    leaf_no: int
    kind: int
    lane: bytes
    nonce: int
    issuer_id: int
    ref: bytes
    points: int
    settle_amount: int
    terms_id: int
    campaign_id: int
    level: int
    basis: int
    occurred_at: int
    account: bytes
    accrued: int = 0

    @property
    def merchant_id(self) -> int:
        """Who signed it."""
        return int.from_bytes(self.lane[:4], "big")

    @property
    def event_id(self) -> bytes:
        """Its own id, without the zeros."""
        return self.lane + self.nonce.to_bytes(8, "big")


class Leaves(NamedTuple):
    """What a shard has for this room: its leaves in short, those that are mentioned, the fees that accrued since the
    last charge by merchant, and when the accounts of its expiries had their first posting.
    """

    runs: list[Run]
    mentions: list[Mention]
    accrued: Mapping[int, int]
    opened: Mapping[bytes, int]


@dataclass(slots=True)
class Relations:
    """What has to be remembered between leaves. `unseen` counts, by check, what pointed before the range."""

    originals: Originals
    terms: Mapping[int, Terms]
    complete: bool = True
    tariff: Tariff | None = None
    unseen: Counter[int] = field(default_factory=Counter)
    looked: Counter[int] = field(default_factory=Counter)
    waiting: dict[bytes, int] = field(default_factory=dict)
    accrued: Counter[int] = field(default_factory=Counter)
    undercharged: int = 0
    untold: bool = False
    """Some batch came without a tariff, so what accrued is not known."""
    _more: set[tuple[bytes, int, int]] = field(default_factory=set)

    def take(self, leaves: Leaves, batch_no: int, findings: Findings) -> None:
        """The leaves of one shard."""
        self.originals.append(leaves.runs)
        self.untold = self.untold or self.tariff is None
        for mention in leaves.mentions:
            _Judge(self, mention, batch_no, findings).judge(leaves.opened.get(mention.account))
        self.accrued.update(leaves.accrued)

    def close(self, batch_no: int, first_leaf_no: int, findings: Findings) -> None:
        """A batch is over: points given in an earlier one must have arrived."""
        late = [event for event, leaf_no in self.waiting.items() if leaf_no < first_leaf_no]
        for event in late:
            leaf_no = self.waiting.pop(event)
            wanted, place = "a leaf that takes it in", f"event 0x{event.hex()}"
            findings.add("pair-open", batch_no, place, expected=wanted, actual="none", leaf_no=leaf_no)

    def rewarded(self, original: Original, event: bytes, campaign_id: int, level: int) -> bool:
        """Whether this level of this campaign was rewarded for it before; it is now."""
        bit = 1 << level & 0x7F
        if original.campaign_id in {0, campaign_id}:
            if original.marks & bit:
                return True
            self.originals.change(original, campaign_id=campaign_id, marks=original.marks | bit)
            return False
        key = event, campaign_id, level
        known = key in self._more
        self._more.add(key)
        return known


@dataclass(slots=True)
class _Judge:
    """One mention at a time: the relations it has, one method for each kind of them."""

    on: Relations
    it: Mention
    batch_no: int
    findings: Findings
    _also: list[int] = field(default_factory=list)
    """The leaf or leaves that this one names."""
    _told_by: dict[str, object] = field(default_factory=dict)
    """What of the tariff it is judged by."""

    def judge(self, opened_at: int | None) -> None:
        kind = self.it.kind
        if kind == Kind.FEE:
            self._fee()
        elif kind == Kind.EXPIRE:
            self._expiry(opened_at)
        elif kind in _GIVES.values():
            self.on.waiting[self.it.event_id] = self.it.leaf_no
        elif kind in _GIVES:
            self._arrival(_GIVES[Kind(kind)])
        elif kind in {Kind.REFERRAL, Kind.REFERRAL_CASH}:
            self._reward()
        else:
            self._refund()

    def _original(self, check: int, code: str, kinds: frozenset[Kind]) -> Original | None:
        """The earlier leaf that this one names; None if there is none, which is a finding unless it lies outside."""
        if not any(self.it.ref):
            return None  # the rule of its kind says so already
        self.on.looked[check] += 1
        found = self.on.originals.find(self.it.ref)
        if found is None and not self.on.complete:
            self.on.unseen[check] += 1
            return None
        self._also = [] if found is None else [found.leaf_no]
        if found is None or found.leaf_no >= self.it.leaf_no or found.kind not in kinds:
            wanted = "an earlier " + " or ".join(sorted(kind.name for kind in kinds))
            actual = "no leaf" if found is None else f"kind {found.kind} in leaf {found.leaf_no}"
            self._add(code, f"refEventId 0x{self.it.ref.hex()}", wanted, actual)
            return None
        return found

    def _refund(self) -> None:
        it, back = self.it, self.it.kind == Kind.REFUND_REDEEM
        kinds = frozenset({Kind.REDEEM}) if back else _EARNED
        original = self._original(TAKEN, "refund-reference", kinds)
        if original is None:
            return
        mine = it.merchant_id, it.issuer_id, it.terms_id if back else original.terms_id
        theirs = _merchant(it.ref), original.issuer_id, original.terms_id
        if mine != theirs:
            self._add("refund-of-another", "merchant, issuer, terms", theirs, mine)
            return
        points, settle = original.back_points + it.points, original.back_settle + it.settle_amount
        limit = original.points + original.rewarded
        if points > limit:
            self._add("refund-too-much", "points refunded so far", f"at most {limit}", points)
        if back and settle > original.settle_amount:
            self._add("refund-too-much", "cash refunded so far", f"at most {original.settle_amount}", settle)
        self.on.originals.change(original, back_points=points, back_settle=settle)
        if back:
            left = [max(0, original.settle_amount - each) for each in (original.back_settle, settle)]
            self._charge(self._fees().redemption_bps, *left)
        else:
            self._earned_back(original)

    def _earned_back(self, original: Original) -> None:
        """What is taken from who was rewarded for a purchase counts as taken back from the purchase, which carries the
        fee of all of it.
        """
        purchase = original
        if original.kind == Kind.REFERRAL:
            found = self.on.originals.find(original.ref)
            if found is None:
                return
            purchase = self.on.originals.change(found, back_points=found.back_points + self.it.points)
        before = original.back_points if purchase is original else purchase.back_points - self.it.points
        there = purchase.points + purchase.rewarded - before
        left = [self._worth(purchase.terms_id, max(0, each)) for each in (there, there - self.it.points)]
        self._charge(self._fees().issuance_bps, *left)

    def _charge(self, bps: int, before: int, after: int) -> None:
        """A fee follows what is left of what it was charged for."""
        if self.on.tariff is not None:
            self.on.accrued[self.it.merchant_id] += self.on.tariff.fee(after, bps) - self.on.tariff.fee(before, bps)

    def _worth(self, terms_id: int, points: int) -> int:
        terms = self.on.terms.get(terms_id)
        return 0 if terms is None or not terms.den else points * terms.num // terms.den

    def _fees(self) -> Fees:
        tariff = self.on.tariff
        return NO_FEES if tariff is None else tariff.fees.get(self.it.merchant_id, NO_FEES)

    def _arrival(self, gives: Kind) -> None:
        it = self.it
        original = self._original(GIVEN, "pair-reference", frozenset({gives}))
        if original is None:
            return
        if original.marks & PAIRED:
            self._add("pair-twice", f"refEventId 0x{it.ref.hex()}", "taken in once", "twice")
            return
        if _merchant(it.ref) != it.merchant_id:
            self._add("pair-of-another", "merchant", _merchant(it.ref), it.merchant_id)
        taken = self._given_until_here(gives, original) if gives == Kind.EXCHANGE_OUT else [(it.ref[:16], original)]
        for event, each in taken:
            self.on.originals.change(each, marks=each.marks | PAIRED)
            self.on.waiting.pop(event, None)
        if gives == Kind.EXCHANGE_OUT:
            self._exchanged([each for _, each in taken])
        elif (original.points, original.issuer_id) != (it.points, it.issuer_id):
            due, got = f"{original.points} of {original.issuer_id}", f"{it.points} of {it.issuer_id}"
            self._add("pair-differs", "points, issuer", due, got)

    def _given_until_here(self, gives: Kind, first: Original) -> list[tuple[bytes, Original]]:
        """An exchange takes in one leaf for each set of terms, one after the other in its lane, the first one named."""
        found = [(self.it.ref[:EVENT_ID_BYTES], first)]
        lane, nonce = self.it.ref[:LANE_BYTES], int.from_bytes(self.it.ref[LANE_BYTES:EVENT_ID_BYTES], "big")
        while True:
            nonce += 1
            event = lane + nonce.to_bytes(8, "big")
            each = self.on.originals.find(event) if event in self.on.waiting else None
            if each is None or each.kind != gives or each.issuer_id != first.issuer_id:
                return found
            found.append((event, each))

    def _exchanged(self, taken: list[Original]) -> None:
        source, given, tariff = taken[0].issuer_id, self.it.points, self.on.tariff
        if tariff is None:
            self.on.unseen[GIVEN] += 1
            return
        rates = tariff.rates_at(source, self.it.issuer_id, self.it.occurred_at)
        points, spare = sum(each.points for each in taken), sum(self._spare(each.terms_id) for each in taken)
        self._also = [each.leaf_no for each in taken]
        self._told_by = {"rates": [rate._asdict() for rate in rates]}
        if not rates:
            self._add("exchange-rate", f"from {source} to {self.it.issuer_id}", "a published rate", "none")
        elif not any(_fair(rate, given, points, spare) for rate in rates):
            told = " or ".join(f"{rate.num}/{rate.den}" for rate in rates)
            self._add(
                "exchange-rate", "points", f"as many as the fewest points give, at {told}", f"{given} for {points}"
            )

    def _spare(self, terms_id: int) -> int:
        """By how many points a leaf may be rounded up: its points are a ceiling of its whole AU (decision 0069)."""
        terms = self.on.terms.get(terms_id)
        return 0 if terms is None or not terms.num else -(-BASE_UNITS_PER_AU * terms.den // terms.num) - 1

    def _reward(self) -> None:
        it = self.it
        original = self._original(REWARDED, "referral-reference", _PURCHASES)
        if original is None:
            return
        if self.on.rewarded(original, it.ref[:EVENT_ID_BYTES], it.campaign_id, it.level):
            place = f"level {it.level} of campaign {it.campaign_id}"
            self._add("referral-twice", place, "one reward for a purchase", f"another for event 0x{it.ref.hex()}")
        if it.kind == Kind.REFERRAL:
            self._add_rewarded(it.ref, original)
        self._rule()

    def _add_rewarded(self, ref: bytes, before: Original) -> None:
        """Points that others have because of a purchase go back with it, and its fee is charged on them too."""
        original = self.on.originals.find(ref) or before
        there, more = original.points + original.rewarded - original.back_points, self.it.points
        worth = [self._worth(original.terms_id, max(0, each)) for each in (there, there + more)]
        self._charge(self._fees().issuance_bps, *worth)
        self.on.originals.change(original, rewarded=original.rewarded + more)

    def _rule(self) -> None:
        it, tariff = self.it, self.on.tariff
        if tariff is None:
            self.on.unseen[REWARDED] += 1
            return
        campaign = tariff.campaigns.get(it.campaign_id)
        self._told_by = {} if campaign is None else {"campaign": campaign.form()}
        if campaign is None or campaign.sponsor_id != it.merchant_id:
            told = "none" if campaign is None else f"one of {campaign.sponsor_id}"
            self._add("campaign-unknown", f"campaign {it.campaign_id}", f"a campaign of {it.merchant_id}", told)
            return
        if campaign.basis_bucket and it.basis % campaign.basis_bucket:
            self._add("referral-rule", "basis", f"a multiple of {campaign.basis_bucket}", it.basis)
        if it.kind == Kind.REFERRAL:
            self._points_of(reward_value(campaign, it.level, it.basis))

    def _points_of(self, value: tuple[int, int]) -> None:
        """Points of a reward: what it is worth, at the leaf's own terms, rounded down once."""
        terms = self.on.terms.get(self.it.terms_id)
        if terms is None or not terms.num:
            return
        due = value[0] * terms.den // (terms.num * BPS)
        if self.it.points != due:
            self._add("referral-rule", "points", due, self.it.points)

    def _fee(self) -> None:
        it = self.it
        payer = it.merchant_id if it.merchant_id != OPERATOR_ID else it.issuer_id
        due = self.on.accrued.pop(payer, 0) + it.accrued
        self.on.looked[CHARGED] += 1
        if self.on.untold or not self.on.complete:
            self.on.unseen[CHARGED] += 1
            return
        charged = it.settle_amount if it.merchant_id != OPERATOR_ID else -it.settle_amount
        if charged > due:
            self._add("fee-too-high", f"fees of merchant {payer}", f"at most {due}", charged)
        self.on.undercharged += max(0, due - charged)

    def _expiry(self, opened_at: int | None) -> None:
        it = self.it
        self._breakage()
        days = None if self.on.tariff is None else self.on.tariff.validity_days.get(it.issuer_id)
        earned_at = opened_at
        if any(it.ref):
            original = self._original(EXPIRED, "expiry-reference", _EARNED | frozenset(_GIVES))
            earned_at = opened_at if original is None else original.occurred_at
        else:
            self.on.looked[EXPIRED] += 1
            self.on.unseen[EXPIRED] += 1
        if days is None or earned_at is None:
            self.on.unseen[EXPIRED] += days is None
            return
        if it.occurred_at < earned_at + days * _SECONDS_PER_DAY:
            wanted = f"{days} days after {earned_at} or later"
            self._add("expiry-early", "occurredAt", wanted, it.occurred_at)

    def _breakage(self) -> None:
        """What the reserve gives back for points that are over, the operator shares in."""
        it, tariff = self.it, self.on.tariff
        if tariff is not None:
            issuers = tariff.fee(it.settle_amount, BPS - self._fees().breakage_bps)
            self.on.accrued[it.merchant_id] += it.settle_amount - issuers

    def _add(self, code: str, place: str, expected: object, actual: object) -> None:
        it = self.it
        account = it.account or None
        self.findings.add(
            code,
            self.batch_no,
            place,
            expected=expected,
            actual=actual,
            leaf_no=it.leaf_no,
            account=account,
            also=self._also,
            attached=self._told_by,
        )


def _fair(rate: Rate, given: int, points: int, spare: int) -> bool:
    """Whether `points` are the fewest that give `given`, or up to `spare` more."""
    fewest = -(-given * rate.den // rate.num) if rate.num else 0
    return given == fewest * rate.num // rate.den and fewest <= points <= fewest + spare


def _merchant(event_id: bytes) -> int:
    return int.from_bytes(event_id[:4], "big")
