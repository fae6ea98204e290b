"""Tier proofs over the wire: passes, partners, requests, consents, epochs. Data only. A field is added, never renamed.

What `proofs.tier` reads and writes (signed requests, responses, headers, grids, cohorts) stands here as it is there:
plain JSON objects, which that package decodes strictly.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from api.tiers.passes import MEMBER_SECONDS_MAX, MEMBER_SECONDS_MIN, MEMBER_SECONDS_USUAL, PARTNER_DAYS_MAX
from proofs.tier.narrowing import NARROWINGS_MAX

ID_HEX = r"^0x[0-9a-f]{64}\Z"
Word = Annotated[str, Meta(pattern=ID_HEX, description="32 bytes in hex.")]
Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z", description="20 bytes in hex.")]
Element = Annotated[
    str, Meta(pattern=r"^(0|[1-9][0-9]{0,77})\Z", description="A number of the circuit's field in decimal digits.")
]
State = Literal["open", "shown", "over"]
Standing = Literal["in-force", "to-come", "over", "revoked"]
PartnerNo = Annotated[int, Meta(ge=1, le=2**32 - 1, description="A partner's number.", examples=[3])]
EpochNo = Annotated[int, Meta(ge=1, le=2**32 - 1, description="An epoch's number.", examples=[20_649])]
Audience = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="The name a member is shown, for ever.", examples=["tea.example"]),
]


class OpenSession(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long the member comes in."""

    seconds: Annotated[int, Meta(ge=MEMBER_SECONDS_MIN, le=MEMBER_SECONDS_MAX)] = MEMBER_SECONDS_USUAL


class PassOut(Struct, frozen=True, kw_only=True):
    """A bearer pass: `token` is its only copy. `name` stands in logs."""

    token: str
    name: str
    expires_at: str


class EndedOut(Struct, frozen=True, kw_only=True):
    """How many passes ended."""

    ended: int


class NewPartner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may ask for tier proofs: `address` signs its requests, `grid` (as an epoch's policy grid) bounds what it may
    ask, the budgets how often, and how many overlapping policies.
    """

    partner_id: PartnerNo
    audience: Audience
    address: Address
    grid: dict[str, Any]
    asks_per_day_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    narrowings_max: Annotated[int, Meta(ge=0, le=100)] = NARROWINGS_MAX


class PartnerOut(Struct, frozen=True, kw_only=True):
    """A partner as it is registered."""

    partner_id: int
    audience: str
    address: str
    grid: dict[str, Any]
    asks_per_day_max: int
    narrowings_max: int
    registered_at: str
    ended_at: str | None


class PartnersOut(Struct, frozen=True, kw_only=True):
    """By number."""

    data: list[PartnerOut]
    next_cursor: str | None


class PartnerPass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many days the partner comes in."""

    days: Annotated[int, Meta(ge=1, le=PARTNER_DAYS_MAX)] = 90


class SignedProofRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request.json: the request as it is signed (EIP-712 `ProofRequest`), where it counts, and the signature."""

    request: dict[str, Any]
    chain_id: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    registry: Address
    signature: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{130}\Z", description="65 bytes in hex.")]


class ProofRequestOut(Struct, frozen=True, kw_only=True):
    """What a wallet shows its owner before it answers: who asks, what, for what. `signed` is the request.json that the
    wallet checks and binds its proof to. `cohort`: so many members at least fit. `max_uses` above 1 lets a member show
    itself again in the same scope without being known again.
    """

    id: str
    partner_id: int
    audience: str
    purpose: str
    window_id: int
    predicate: str
    cohort: int
    epoch: int
    max_uses: int
    expires_at: str
    signed: dict[str, Any]


class OutcomeOut(Struct, frozen=True, kw_only=True):
    """What became of a request of yours: open, shown or over."""

    id: str
    state: State
    nullifier: str | None
    shown_at: str | None


class TierProof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The id of your request and the member's response.json."""

    request_id: Word
    response: dict[str, Any]


class ProofTakenOut(Struct, frozen=True, kw_only=True):
    """The proof holds and is used up. The nullifier is the same whenever the same member shows the same use in this
    scope; nothing else of the member is in it.
    """

    accepted: Literal[True]
    request_id: str
    epoch: int
    scope: str
    nullifier: str
    predicate: str
    taken_at: str


class NewCommitment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """poseidon(tag, secret): the secret stays on the member's device."""

    commitment: Element


class CommitmentOut(Struct, frozen=True, kw_only=True):
    """How the member is known in tier proofs, from which epoch on."""

    commitment: str
    from_epoch: int
    enrolled_at: str


class WitnessOut(Struct, frozen=True, kw_only=True):
    """What the member's device needs for proofs in an epoch, beside its secret: keep it to yourself. The device checks
    that leaf and path come to the root that the chain has.
    """

    epoch: int
    witness: dict[str, Any]
    signed: dict[str, Any]


class DecideOnRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the member decides. `assisted`: the operator's server makes the proof; it then learns who was shown to
    whom.
    """

    request_id: Word
    given: bool
    assisted: bool = False


class ConsentOut(Struct, frozen=True, kw_only=True):
    """A decision of the member's. `linkable`: it agreed in this scope before, so the partner may know it again if it
    shows the same use. `assisted`: the operator's server knows who was shown to whom.
    """

    request: ProofRequestOut
    given: bool
    assisted: bool
    linkable: bool
    decided_at: str


class ConsentsOut(Struct, frozen=True, kw_only=True):
    """Newest first."""

    data: list[ConsentOut]
    next_cursor: str | None


class EpochLineOut(Struct, frozen=True, kw_only=True):
    """An epoch in a list: `signed` is its header with the operator's signature."""

    epoch: int
    state: Standing
    signed: dict[str, Any]


class EpochOut(EpochLineOut, frozen=True, kw_only=True):
    """An epoch as it was published, with the grid and the cohorts whose hashes its header has."""

    policy_grid: dict[str, Any]
    cohorts: dict[str, Any] | None


class EpochsOut(Struct, frozen=True, kw_only=True):
    """Newest first."""

    data: list[EpochLineOut]
    next_cursor: str | None


class TrustOut(Struct, frozen=True, kw_only=True):
    """A trusted.json: what a partner's own verifier has to believe. Compare `vk_hash` with the registry on chain."""

    chain_id: int
    registry: str
    alliance_id: int
    circuits: list[dict[str, Any]]
    epochs: list[dict[str, Any]]


class RevokedOut(Struct, frozen=True, kw_only=True):
    """The epoch counts no more here; the guardian's transaction ends it on the chain."""

    epoch: int
    revoked_at: str


class TierRefusalOut(Struct, frozen=True, kw_only=True):
    """Why a proof was not taken."""

    at: str
    partner_id: int
    request_id: str | None
    reason: str


class TierRefusalsOut(Struct, frozen=True, kw_only=True):
    """Newest first; `by_reason` counts all that are kept."""

    by_reason: dict[str, int]
    data: list[TierRefusalOut]
    next_cursor: str | None


AssistedState = Literal["waiting", "proven", "refused"]
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z"


class AskAssisted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The member's secret, for this once, and which use of those agreed it is."""

    request_id: Word
    secret: Element
    use_index: Annotated[int, Meta(ge=0, le=255)] = 0


class AssistedOut(Struct, frozen=True, kw_only=True):
    """What fetches the answer: kept by the member's device alone."""

    job: str
    reply_key: str


class FetchAssisted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What asking was answered with."""

    job: Annotated[str, Meta(pattern=UUID_PATTERN, description="The job's name.")]
    reply_key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="The key that opens its answer.")]


class AssistedProofOut(Struct, frozen=True, kw_only=True):
    """The response for the partner once it is proven; or why there is none: witness-missing, not-this-secret,
    policy-unmet or failed.
    """

    state: AssistedState
    response: dict[str, Any] | None
    refused: str | None
