"""Whether a partner's request may be asked: pure, from the request, the partner, the epoch and what was asked before.

Refusals in order: the alliance is this one; the asker is the partner, signing with its key, under its name, about its
own scope; the time it may take; the epoch and circuit; the policy is on the partner's grid and on the epoch's published
one; its cohort is no smaller than anybody may be shown in; how often and how closely this partner asks. What is asked
here is known to no member yet, so partners are told each reason. Called by `api.tiers.requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import ceil

from api.tiers.rows import Partner
from proofs.tier import narrowing
from proofs.tier.cohorts import MEMBERS_MIN, Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader
from proofs.tier.narrowing import Question
from proofs.tier.request import NOBODY, Flaw, SignedRequest

REQUEST_SECONDS_MAX = 3_600
"""How long a request may wait for its answer."""
BUDGET_SECONDS = 86_400


class Why(Enum):
    """What is wrong with a request, as `data.why` of the problem says it."""

    ALLIANCE = "the chain or the registry is another alliance's"
    PARTNER = "the partner is not the one whose pass came with it"
    POLICY = "the policy has more than 249 bits, or nobody can meet it"
    USES = "the request and its policy name different numbers of uses"
    SCOPE = "the scope is not that of this partner, purpose and window"
    SIGNATURE = "it is not signed with the partner's key"
    AUDIENCE = "the audience is not the partner's name"
    RECIPIENT = "it has a recipient: such a request is answered on the chain"
    EXPIRY = "it has expired, or waits longer than a request may"
    EPOCH = "the epoch is not in force"
    CIRCUIT = "the circuit is not the epoch's"
    GRID = "the policy is not on the partner's grid, or not on the epoch's"
    NONCE = "the nonce was used before"


class NotAsked(Exception):
    """Root: the request may not be asked."""


@dataclass(frozen=True, slots=True)
class Unfit(NotAsked):
    """The request is not one that could be asked; `detail` says more."""

    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TooFew(NotAsked):
    """Whoever answers would stand out; together with another policy of the partner's, `with_earlier`."""

    with_earlier: bool


@dataclass(frozen=True, slots=True)
class AskedTooOften(NotAsked):
    """The day's requests are used up."""

    again_in_seconds: int


@dataclass(frozen=True, slots=True)
class TooClose(NotAsked):
    """The partner has asked as many policies about the same members as it may."""

    policies: int


@dataclass(frozen=True, slots=True)
class Published:
    """What is public of an epoch that is in force."""

    header: EpochHeader
    grid: PolicyGrid
    cohorts: Cohorts


@dataclass(frozen=True, slots=True)
class History:
    """What this partner asked: when the oldest of as many requests as it has a day was asked, if that was within one;
    questions of the narrowing window, and those among them that were about this epoch.
    """

    full_since: datetime | None
    questions: Sequence[Question]
    of_epoch: Sequence[Question]
    nonce_used: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Which alliance this is."""

    chain_id: int
    registry: bytes


def check(
    signed: SignedRequest, by: Partner, place: Place, epoch: Published | None, before: History, *, now: datetime
) -> tuple[int, Question]:
    """The step that the policy's cohort reaches, and what is asked, for a request that may be. Raises `NotAsked`."""
    _fit(signed, by, place, now)
    published = _in_force(signed, by, epoch)
    if before.nonce_used:
        raise Unfit(Why.NONCE)
    cohort = published.cohorts.of(signed.request.predicate)
    if cohort < MEMBERS_MIN:
        raise TooFew(with_earlier=False)
    _within_budget(before, now)
    question = Question.of(signed.request.predicate, not_before=published.header.not_before)
    _not_closer(question, by, published, before)
    return cohort, question


_FLAWS = {
    Flaw.POLICY: Why.POLICY,
    Flaw.USES: Why.USES,
    Flaw.SCOPE: Why.SCOPE,
    Flaw.EXPIRED: Why.EXPIRY,
    Flaw.UNSIGNED: Why.SIGNATURE,
    Flaw.STRANGER: Why.SIGNATURE,
}


def _fit(signed: SignedRequest, by: Partner, place: Place, now: datetime) -> None:
    """What can be seen on the request alone."""
    request = signed.request
    if (signed.chain_id, signed.registry) != (place.chain_id, place.registry):
        raise Unfit(Why.ALLIANCE)
    if request.partner_id != by.partner_id:
        raise Unfit(Why.PARTNER)
    seconds = int(now.timestamp())
    if flaw := signed.flaw(now=seconds, partner_key=by.address):
        raise Unfit(_FLAWS[flaw])
    if request.audience != by.audience:
        raise Unfit(Why.AUDIENCE)
    if request.recipient != NOBODY:
        raise Unfit(Why.RECIPIENT)
    if request.expires_at > seconds + REQUEST_SECONDS_MAX:
        raise Unfit(Why.EXPIRY, f"at most {REQUEST_SECONDS_MAX} s from now")


def _in_force(signed: SignedRequest, by: Partner, epoch: Published | None) -> Published:
    """The epoch that is asked about, if the policy may be asked in it."""
    request = signed.request
    if epoch is None:
        raise Unfit(Why.EPOCH)
    if request.circuit_id != epoch.header.circuit_id:
        raise Unfit(Why.CIRCUIT)
    for grid, whose in ((by.grid, "partner"), (epoch.grid, "epoch")):
        if part := grid.off(request.predicate):
            raise Unfit(Why.GRID, f"{part} is off the {whose}'s")
    if request.predicate.valid_on > epoch.header.not_after:
        raise Unfit(Why.GRID, "valid_on is after the epoch")
    return epoch


def _within_budget(before: History, now: datetime) -> None:
    if before.full_since is not None:
        free = before.full_since + timedelta(seconds=BUDGET_SECONDS)
        raise AskedTooOften(max(1, ceil((free - now).total_seconds())))


def _not_closer(new: Question, by: Partner, epoch: Published, before: History) -> None:
    """Each question that says more about the same members is a narrowing; there are few, so few pairs are compared."""
    policies = len(narrowing.narrowings(before.questions, new))
    if policies > by.narrowings_max:
        raise TooClose(policies)
    if narrowing.apart(new, before.questions, before.of_epoch, epoch.cohorts):
        raise TooFew(with_earlier=True)
