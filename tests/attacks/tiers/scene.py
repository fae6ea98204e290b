"""Two partners, members' devices and what they can prove: the stage of attacks on the protocol of tier proofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofs.tier.policy import Policy
from tests.api.conftest import Caller, Clock
from tests.api.tiers.alliance import GOLD, MEMBERS, Partner, Wallets, let_in

GOLD_OR_HIGHER = Policy(tier_mask=GOLD)
REFUSED = {
    "type": "/errors#proof-refused",
    "title": "The proof is not taken",
    "status": 422,
    "detail": "The proof is not taken.",
    "instance": "/v1/tier-proofs/verify",
    "code": "proof-refused",
}


@dataclass
class Scene:
    """Two partners, a member's device, and what it can prove."""

    first: Partner
    second: Partner
    tea: Caller
    operator: Caller
    wallets: Wallets
    clock: Clock

    def witness(self, member: str = MEMBERS[0]) -> Any:
        answer = let_in(self.tea, member).get("/v1/me/tier-witness")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def proof(self, asked: dict[str, Any], member: str = MEMBERS[0], *, use_index: int = 0) -> Any:
        """The member's proof for a request."""
        return self.wallets.prove(member, self.witness(member), asked, use_index)

    def answered(self, policy: Policy = GOLD_OR_HIGHER, **changes: Any) -> tuple[dict[str, Any], Any]:
        """A request of the first partner's and a proof for it that was not shown yet."""
        asked = self.first.asked(policy, **changes)
        return asked, self.proof(asked)

    def refused(self, answer: Any, reason: str) -> None:
        """Refused like everything else, and for this."""
        assert (answer.status_code, answer.json()) == (422, REFUSED)
        newest = self.operator.get("/v1/tier-refusals?limit=1").json()["data"][0]
        assert newest["reason"] == reason
