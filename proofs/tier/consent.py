"""What a wallet looks at before it proves anything, and what it shows its owner: one pure function.

Order of the checks: the request (signed with the key that the registry has for the asking partner, not expired, scope
bound to it, a policy that can be met), the epoch (this registry's, signed, active, its root the one that is anchored),
the policy (on the epoch's published grid, not asking beyond the epoch), the cohort (published, and not under 50), what
this partner asked this owner before (no closing in), the owner (meets the policy). What is refused before the last says
nothing of the owner: it would be refused anybody.

Invariants: no clock, no network: what the chain holds and the time come in. The prover's `consent.js` is what wallets
run; it is held to this text by the tests, which are the only callers of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import MEMBERS_MIN, Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import SignedHeader
from proofs.tier.narrowing import NARROWINGS_MAX, Question, apart, narrowings
from proofs.tier.policy import Policy
from proofs.tier.request import SignedRequest
from proofs.tier.statement import alliance_id


class Declined(StrEnum):
    """Why a wallet does not even ask its owner. Has every `Flaw` of a request by its name."""

    POLICY = "the policy cannot be met by anybody"
    USES = "the request and its policy name different numbers of uses"
    SCOPE = "the scope is not bound to the asking partner"
    EXPIRED = "the request has expired"
    UNSIGNED = "the request is not signed"
    STRANGER = "the request is not signed by the partner it names"
    REGISTRY = "the request is for another chain or registry"
    EPOCH = "the request is for another epoch or circuit than the wallet holds"
    HEADER = "the epoch's header is not signed by the operator"
    INACTIVE = "the epoch has not begun, or is over"
    ROOT = "the epoch's root is not the one that is anchored"
    GRID = "the policy is not on the published grid"
    COHORT = "too few members fit the policy"
    CLOSING = "with what the partner asked before, it would say too much of the owner"
    UNMET = "the owner does not meet the policy"


@dataclass(frozen=True, slots=True)
class Known:
    """What the wallet knows: from the chain (`registry`, `partner_key`, `anchored_root`), from the operator (`epoch`
    with grid and cohorts whose hashes are in it) and of its owner.
    """

    chain_id: int
    registry: bytes
    partner_key: bytes | None
    """The address that the registry holds for the asking partner, None when it holds none."""
    epoch_key: bytes
    """The address whose headers the registry takes."""
    anchored_root: int
    """The root that the chain holds for the epoch, 0 when none or revoked."""
    epoch: SignedHeader
    grid: PolicyGrid
    cohorts: Cohorts
    attributes: Attributes
    answered_scopes: Collection[int] = ()
    """Scopes in which the owner showed something before."""
    asked_before: Collection[tuple[Question, int]] = ()
    """What this partner asked the owner within `WINDOW_DAYS`, each with the epoch that it was about."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the owner is asked. `linkable`: the owner showed something in this scope before, and the partner recognises
    it if the same use is shown again.
    """

    partner_id: int
    audience: str
    purpose: str
    predicate: str
    linkable: bool
    cohort: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the owner is not asked. `detail` names the part."""

    reason: Declined
    detail: str = ""


def consent(
    asked: SignedRequest, known: Known, *, now: int, use_index: int = 0, tier_names: Sequence[str] = ()
) -> Consent | Refusal:
    """What to show the owner, or the first reason not to."""
    if known.partner_key is None:
        return Refusal(Declined.STRANGER, "the registry holds no key for this partner")
    if (flaw := asked.flaw(now=now, partner_key=known.partner_key)) is not None:
        return Refusal(Declined[flaw.name])
    refusal = _epoch(asked, known, now)
    policy = asked.request.predicate
    refusal = refusal or _policy(policy, known)
    if refusal is not None:
        return refusal
    if (cohort := known.cohorts.of(policy)) < MEMBERS_MIN:
        return Refusal(Declined.COHORT)
    if (closing := _closing(policy, known)) is not None:
        return Refusal(Declined.CLOSING, closing)
    if (unmet := policy.admits(known.attributes, use_index)) is not None:
        return Refusal(Declined.UNMET, f"{unmet.name.lower()}: {unmet}")
    return _shown(asked, policy, cohort, known, tier_names)


def _epoch(asked: SignedRequest, known: Known, now: int) -> Refusal | None:
    header, place = known.epoch.header, (known.chain_id, known.registry)
    request = asked.request
    checks = (
        ((asked.chain_id, asked.registry) == place, Declined.REGISTRY),
        ((request.epoch, request.circuit_id) == (header.epoch, header.circuit_id), Declined.EPOCH),
        (header.alliance_id == alliance_id(*place), Declined.HEADER),
        (known.epoch.signer(*place) == known.epoch_key, Declined.HEADER),
        (header.active(now, grace_seconds=0), Declined.INACTIVE),
        (header.root == known.anchored_root != 0, Declined.ROOT),
    )
    return next((Refusal(reason) for fine, reason in checks if not fine), None)


def _policy(policy: Policy, known: Known) -> Refusal | None:
    """On the grid that the header names, and nothing asked that the epoch cannot say: a later day or key would only
    tell members apart.
    """
    header = known.epoch.header
    checks = (
        (known.grid.hash() == header.policy_grid, "the grid is not the one that the header names"),
        (known.cohorts.hash() == header.cohorts, "the cohorts are not those that the header names"),
        ((off := known.grid.off(policy)) is None, off or ""),
        (policy.valid_on <= header.not_after, "valid_on is after the epoch"),
    )
    return next((Refusal(Declined.GRID, detail) for fine, detail in checks if not fine), None)


def _closing(policy: Policy, known: Known) -> str | None:
    """What the doors look at over all that a partner asks, for requests that may have passed no door."""
    header = known.epoch.header
    new = Question.of(policy, not_before=header.not_before)
    before = [question for question, _ in known.asked_before]
    if len(narrowings(before, new)) > NARROWINGS_MAX:
        return "policies"
    of_epoch = [question for question, epoch in known.asked_before if epoch == header.epoch]
    return "cohort" if apart(new, before, of_epoch, known.cohorts) else None


def _shown(asked: SignedRequest, policy: Policy, cohort: int, known: Known, tier_names: Sequence[str]) -> Consent:
    request = asked.request
    return Consent(
        partner_id=request.partner_id,
        audience=request.audience,
        purpose=request.purpose,
        predicate=policy.in_words(tier_names),
        linkable=request.scope in known.answered_scopes,
        cohort=cohort,
        expires_at=request.expires_at,
    )
