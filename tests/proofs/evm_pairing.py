"""Groth16 by the precompiled contracts of an EVM node (EIP-196, EIP-197): a third opinion, in another language.

The equation as one call of the pairing, e(−A, B)·e(α, β)·e(IC₀, γ)·Π e(signalᵢ·ICᵢ, γ)·e(C, δ) = 1, the multiples by
the precompiled multiplication. The precompiles refuse coordinates from p on, points off the curve and outside of the
subgroup; they take any scalar, so that a signal is below r is asked here, as the exported contract does, and infinity
is asked here too, which our verifier refuses. Called by tests with a node's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import requests

from tests.proofs.groth16_vectors import Vector
from tests.proofs.trapdoor import P, R

MULTIPLY, PAIRING = 7, 8
CALLS_PER_REQUEST = 400
ONE = "0x" + "1".rjust(64, "0")


def verdicts_of_evm(url: str, vectors: Sequence[Vector]) -> str:
    """One sign a vector: 1 accepted, 0 refused."""
    wanted = {(*point[:2], str(signal)) for each in vectors for point, signal in _terms(each)}
    asked = sorted(wanted)
    multiples = dict(zip(asked, _calls(url, MULTIPLY, [_words(each) for each in asked]), strict=True))
    answers = _calls(url, PAIRING, [_equation(each, multiples) for each in vectors])
    return "".join(
        "1" if answer == ONE and _in_range(each) else "0" for answer, each in zip(answers, vectors, strict=True)
    )


def _terms(vector: Vector) -> Iterable[tuple[list[str], int]]:
    return zip(vector.key["IC"][1:], vector.signals, strict=True)


def _in_range(vector: Vector) -> bool:
    points = (vector.proof["pi_a"], vector.proof["pi_c"], [*vector.proof["pi_b"][0], *vector.proof["pi_b"][1]])
    return all(signal < R for signal in vector.signals) and all(set(point) != {"0"} for point in points)


def _equation(vector: Vector, multiples: dict[tuple[str, ...], str | None]) -> str:
    key, (x, y) = vector.key, vector.proof["pi_a"]
    gamma = _g2(key["vk_gamma_2"])
    parts = [
        *(_words((x, str(-int(y) % P if int(y) < P else int(y)))), _g2(vector.proof["pi_b"])),
        *(_words(key["vk_alpha_1"][:2]), _g2(key["vk_beta_2"])),
        *(_words(key["IC"][0][:2]), gamma),
        *(_words(vector.proof["pi_c"]), _g2(key["vk_delta_2"])),
    ]
    for point, signal in _terms(vector):
        multiple = multiples[(*point[:2], str(signal))]
        assert multiple is not None, "a point of a key is multiplied by anything"
        parts += [multiple[2:], gamma]
    return "".join(parts)


def _g2(form: Sequence[Sequence[str]]) -> str:
    """Imaginary parts first."""
    return _words((form[0][1], form[0][0], form[1][1], form[1][0]))


def _words(numbers: Iterable[str]) -> str:
    return "".join(f"{int(number):064x}" for number in numbers)


def _calls(url: str, address: int, inputs: Sequence[str]) -> list[str | None]:
    """What each call returns, None where it fails."""
    found: list[str | None] = []
    with requests.Session() as session:
        session.trust_env = False
        for start in range(0, len(inputs), CALLS_PER_REQUEST):
            bodies = [_call(at, address, data) for at, data in enumerate(inputs[start : start + CALLS_PER_REQUEST])]
            answers = {each["id"]: each.get("result") for each in session.post(url, json=bodies, timeout=60).json()}
            found += [answers[at] for at in range(len(bodies))]
    return found


def _call(at: int, address: int, data: str) -> dict[str, Any]:
    call = {"to": f"0x{address:040x}", "data": "0x" + data}
    return {"jsonrpc": "2.0", "id": at, "method": "eth_call", "params": [call, "latest"]}
