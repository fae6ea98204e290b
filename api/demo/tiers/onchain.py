"""A proof before the contract: taken by a transaction, or refused, which is asked without sending one. Called by
`showing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proofs.json_form import hex_text
from proofs.tier.request import SignedRequest
from settlement.chain.contracts import Contract, Refused
from settlement.chain.outbox import Intent, Outbox

VERIFY_GAS: Final = 600_000
LEAD_WAIT_S: Final = 20.0


def known_of(contract: Contract, partner: int, epoch: int) -> dict[str, str]:
    """What a wallet asks the chain before it believes a request: keys of operator and partner, and the epoch's root."""
    root, *_ = contract.read("epochOf", epoch)
    return {
        "registry": hex_text(contract.address),
        "epoch_key": str(contract.read("epochKey")).lower(),
        "partner_key": str(contract.read("partnerKey", partner)).lower(),
        "root": str(root),
    }


def taken(contract: Contract, outbox: Outbox, signed: SignedRequest, response: Mapping[str, Any]) -> int | None:
    """Send a proof for good; the gas it took, None where the contract does not know the request as verified then."""
    purpose = f"tier-proof:{signed.digest.hex()[:16]}"
    with outbox.leading(wait_s_max=LEAD_WAIT_S) as led:
        receipt = led.complete(Intent(purpose, contract.address, _call(contract, signed, response), VERIFY_GAS))
    return receipt.gas_used if contract.read("isVerified", signed.digest) else None


def refusal(contract: Contract, signed: SignedRequest, response: Mapping[str, Any]) -> str:
    """The name of the error that the contract answers, "taken" where it would take the proof."""
    try:
        contract.try_out(_call(contract, signed, response), gas=VERIFY_GAS)
    except Refused as refused:
        return refused.name
    return "taken"


def _call(contract: Contract, signed: SignedRequest, response: Mapping[str, Any]) -> bytes:
    """Calldata of verifyTier; of B's limbs the imaginary part first."""
    proof = response["proof"]
    limbs = [*proof["pi_a"], *(limb for pair in proof["pi_b"] for limb in reversed(pair)), *proof["pi_c"]]
    nullifier, numbers = int(response["nullifier"]), [int(each) for each in limbs]
    return contract.data("verifyTier", signed.request, signed.signature, nullifier, numbers)
