"""A second opinion on verdicts, by py_ecc alone: for a partner who doubts the fast pairing, or wants to see both agree.

Invariants: the equation, the points and the key are read and judged by `groth16_reference`, which shares nothing with
the fast verifier; verdicts that did not come to a proof have none to be judged. Tens of times slower, and py_ecc has to
be installed. Called by the partner's command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from proofs import groth16_reference
from proofs.json_form import hex_text
from proofs.tier.request import SignedRequest
from proofs.tier.response import TierResponse
from proofs.tier.trusted import Trusted
from proofs.tier.verify import Reason, Verdict, signals_of

_OF_THE_PROOF: Final = (None, Reason.POINT, Reason.PROOF)


def disagreements(
    trust_form: Mapping[str, Any],
    trusted: Trusted,
    pairs: Sequence[tuple[SignedRequest, bytes]],
    verdicts: Sequence[Verdict],
) -> list[int]:
    """The places at which py_ecc says something else; `trust_form` is what `trusted` was read from."""
    keys = {each["circuit_id"]: each["verification_key"] for each in trust_form["circuits"]}
    found = []
    for at, ((request, data), verdict) in enumerate(zip(pairs, verdicts, strict=True)):
        if verdict.reason not in _OF_THE_PROOF:
            continue
        answer = TierResponse.decode(data)
        signals = signals_of(request, trusted.epochs[request.request.epoch], answer.nullifier).in_order()
        key = keys[hex_text(answer.circuit_id)]
        if groth16_reference.verify(key, signals, answer.proof) is not verdict.accepted:
            found.append(at)
    return found
