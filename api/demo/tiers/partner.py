"""Partners of the demonstration: what they are called, the requests that they sign, and what they send to the API.

Invariants: a partner's key is its own file; a request has a fresh nonce and a window of its own, so that a run can be
repeated, because in one scope a member is taken once. Called by `showing`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from coincurve import PrivateKey

from api.demo.merchants import PARTNERS
from api.demo.tiers.door import Caller
from proofs.json_form import hex_text
from proofs.signature import address_of
from proofs.tier.attributes import TIER_RANK_MAX
from proofs.tier.grid import PolicyGrid
from proofs.tier.policy import Policy, at_least
from proofs.tier.request import NOBODY, ProofRequest, SignedRequest
from proofs.tier.statement import scope

GRID: Final = PolicyGrid(tier_masks=tuple(at_least(rank) for rank in range(TIER_RANK_MAX, 0, -1)))
"""What both may ask: a tier or a higher one."""
REQUEST_SECONDS: Final = 1_800
PASS_DAYS: Final = 30
NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and about what is asked: the registry, the epoch in force and its circuit, and the time."""

    chain_id: int
    registry: bytes
    epoch: int
    circuit_id: bytes
    now: int


@dataclass(frozen=True, slots=True)
class Partner:
    """One partner's program."""

    number: int
    key: PrivateKey
    caller: Caller

    @property
    def name(self) -> str:
        return PARTNERS[self.number]

    def request(self, at: Place, policy: Policy, purpose: str, recipient: bytes = NOBODY) -> SignedRequest:
        """A request that the partner signs."""
        return ProofRequest(
            partner_id=self.number,
            audience=self.name,
            purpose=purpose,
            window_id=at.now,
            scope=scope(at.chain_id, at.registry, self.number, purpose, at.now),
            policy=policy.packed(),
            epoch=at.epoch,
            circuit_id=at.circuit_id,
            nonce=secrets.token_bytes(NONCE_BYTES),
            expires_at=at.now + REQUEST_SECONDS,
            max_uses=policy.max_uses,
            recipient=recipient,
        ).sign(self.key, at.chain_id, at.registry)

    def ask(self, signed: SignedRequest) -> str:
        """Hand a request to the API; its id."""
        return str(self.caller.told("POST", "/v1/proof-requests", signed.to_json())["id"])

    def show(self, request_id: str, response: Mapping[str, Any]) -> str:
        """What the API says of a proof: "accepted", or the code of its refusal."""
        body = {"request_id": request_id, "response": response}
        told = self.caller.send("POST", "/v1/tier-proofs/verify", body).json()
        return "accepted" if told.get("accepted") is True else str(told.get("code"))


def registered(operator: Caller, number: int, key: PrivateKey) -> Partner:
    """A partner, known to the API and with a pass."""
    particulars = {
        "partner_id": number,
        "audience": PARTNERS[number],
        "address": hex_text(address_of(key.public_key)),
        "grid": GRID.to_json(),
        "asks_per_day_max": 1_000,
        "narrowings_max": 3,
    }
    operator.told("POST", "/v1/partners", particulars)
    given = operator.told("POST", f"/v1/partners/{number}/passes", {"days": PASS_DAYS})
    return Partner(number, key, Caller(operator.http, str(given["token"])))
