"""A member's answer: the circuit, the nullifier and the proof, as they come over the wire.

    response.json: {"circuit_id": "0x..", "nullifier": "..", "proof": {"pi_a": [x, y], "pi_b": [[x0, x1], [y0, y1]],
                    "pi_c": [x, y]}}

Limbs stand as snarkjs writes them, the real part first; its third, projective coordinates are taken off by the prover.
Invariants: every number has one spelling; nothing else is in it, above all no public signal but the nullifier: the
verifier makes the others itself. Called by the verifier and the doors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from proofs.json_form import hex_text
from proofs.tier.decoding import DecodingError, Fields, decimal, decode

RESPONSE_BYTES_MAX: Final = 4_096
_SHAPES: Final = {"pi_a": (2,), "pi_b": (2, 2), "pi_c": (2,)}


@dataclass(frozen=True, slots=True)
class TierResponse:
    """`proof` has the form above with decimal strings of up to 256 bits; whether they are points is not yet said."""

    circuit_id: bytes
    nullifier: int
    proof: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The content of response.json."""
        return {"circuit_id": hex_text(self.circuit_id), "nullifier": str(self.nullifier), "proof": dict(self.proof)}

    @classmethod
    def from_json(cls, form: object, where: str = "response.json") -> Self:
        """The response whose form this is. Raises `DecodingError` naming the field."""
        fields = Fields.of(form, where, ("circuit_id", "nullifier", "proof"))
        proof = Fields.of(fields.form["proof"], fields.at("proof"), tuple(_SHAPES))
        return cls(
            circuit_id=fields.raw("circuit_id"),
            nullifier=fields.decimal("nullifier"),
            proof={name: _shaped(proof.form[name], proof.at(name), shape) for name, shape in _SHAPES.items()},
        )

    @classmethod
    def decode(cls, data: bytes, where: str = "response.json") -> Self:
        """The response in the bytes of a file or a body. Raises `DecodingError`."""
        return cls.from_json(decode(data, where, bytes_max=RESPONSE_BYTES_MAX), where)


def _shaped(value: object, where: str, shape: tuple[int, ...]) -> Any:
    """A list of lists of decimal strings, of exactly that shape."""
    if not shape:
        return str(decimal(value, where))
    if not isinstance(value, list) or len(value) != shape[0]:
        raise DecodingError(where, f"a list of {shape[0]} is wanted")
    return [_shaped(item, f"{where}[{at}]", shape[1:]) for at, item in enumerate(value)]
