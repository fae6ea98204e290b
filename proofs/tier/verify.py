"""Whether a response proves what a request asked, decided from the cheap to the dear.

Order: the form of the response, the request, circuit and key, the epoch and its root, the nullifier, the points, the
pairing. Every public signal but the nullifier is made here from the request and the epoch's header; nothing that came
with the proof can choose one. Outside there is one refusal for everything (`Verdict.public`); the reason is for the
caller's own log.

Not decided here, for nothing here is kept: whether the caller made this request and saw no answer to it yet, and
whether (scope, nullifier) was used before. Both belong into one transaction of the caller's, keyed on these and never
on the bytes of a proof, which anybody can change into other bytes of a proof that still holds.

Invariants: total over whatever a stranger sends; no clock: `now` is Unix seconds. Called by partners, doors and the
command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from os import urandom
from typing import Any, Final

from proofs import groth16
from proofs.poseidon import R
from proofs.tier.decoding import DecodingError
from proofs.tier.header import EpochHeader
from proofs.tier.request import SignedRequest
from proofs.tier.response import TierResponse
from proofs.tier.statement import PublicSignals
from proofs.tier.trusted import Circuit, Trusted

BATCH_MAX: Final = 1_024


class Reason(StrEnum):
    """Why a response was refused, for the caller's own log, in the order of the checks. Has every `Flaw` by name."""

    FORM = "the response is not in the form it has"
    REGISTRY = "the request is for another chain or registry"
    POLICY = "the request's policy cannot be met"
    USES = "the request and its policy name different numbers of uses"
    SCOPE = "the request's scope is not bound to its partner, purpose and window"
    EXPIRED = "the request has expired"
    UNSIGNED = "nobody signed the request"
    STRANGER = "the request is not signed with the partner's key"
    CIRCUIT = "the response is of another circuit than the request, or of one that is not pinned"
    KEY = "the verification key is not the pinned one"
    EPOCH = "the epoch is unknown or of another circuit"
    REVOKED = "the epoch was revoked"
    INACTIVE = "the epoch has not begun, or is over"
    NULLIFIER = "the nullifier is zero or not below the order of the field"
    POINT = "the proof has a number that is no coordinate, or a point that is none"
    PROOF = "the proof does not hold for this request"
    REPEATED = "the request, or the nullifier in its scope, was accepted before in the batch"


Answer = bytes | TierResponse | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`scope` and `nullifier` are what the caller keeps of an accepted use; `detail` says more of a refusal."""

    reason: Reason | None = None
    detail: str = ""
    scope: int = 0
    nullifier: int = 0

    @property
    def accepted(self) -> bool:
        return self.reason is None

    def public(self) -> dict[str, Any]:
        """What may be told to whoever sent the response: the same for every refusal."""
        if self.accepted:
            return {"accepted": True, "scope": str(self.scope), "nullifier": str(self.nullifier)}
        return {"accepted": False}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A response that only the pairing can still refuse."""

    circuit: Circuit
    signals: PublicSignals
    proof: groth16.Proof

    def accepted(self) -> Verdict:
        return Verdict(scope=self.signals.scope, nullifier=self.signals.nullifier)


def verify_response(
    request: SignedRequest, response: Answer, trusted: Trusted, *, now: int, partner_key: bytes | None = None
) -> Verdict:
    """Accepted, or refused with the reason for the caller's log. `request` is the caller's own record of what it asked;
    `response` is what came, best as the bytes that came; `partner_key` the address that the registry has for the asker.
    """
    ready = _prepared(request, response, trusted, now, partner_key)
    if isinstance(ready, Verdict):
        return ready
    if not groth16.verify(ready.circuit.key, ready.signals.in_order(), ready.proof):
        return Verdict(Reason.PROOF)
    return ready.accepted()


def verify_responses(
    pairs: Sequence[tuple[SignedRequest, Answer]],
    trusted: Trusted,
    *,
    now: int,
    partner_key: bytes | None = None,
    random: Callable[[int], bytes] = urandom,
) -> list[Verdict]:
    """The same for many at once, several times cheaper each. Of two that answer one request, or have one nullifier in
    one scope, the first that holds counts.
    """
    if len(pairs) > BATCH_MAX:
        raise ValueError(f"at most {BATCH_MAX} responses are verified at once")
    found = [_prepared(request, response, trusted, now, partner_key) for request, response in pairs]
    verdicts = dict[int, Verdict]()
    for circuit in {each.circuit.circuit_id: each.circuit for each in found if isinstance(each, _Ready)}.values():
        places = [at for at, each in enumerate(found) if isinstance(each, _Ready) and each.circuit is circuit]
        ready = [each for at in places if isinstance(each := found[at], _Ready)]
        held = groth16.verify_batch(circuit.key, [(one.signals.in_order(), one.proof) for one in ready], random=random)
        for at, one, holds in zip(places, ready, held, strict=True):
            verdicts[at] = one.accepted() if holds else Verdict(Reason.PROOF)
    judged = [each if isinstance(each, Verdict) else verdicts[at] for at, each in enumerate(found)]
    return _once([request.digest for request, _ in pairs], judged)


def _once(digests: Sequence[bytes], judged: Sequence[Verdict]) -> list[Verdict]:
    """Each request is answered once, and each nullifier counts once in its scope."""
    used = set[bytes | tuple[int, int]]()
    kept = []
    for digest, verdict in zip(digests, judged, strict=True):
        marks: set[bytes | tuple[int, int]] = {digest, (verdict.scope, verdict.nullifier)}
        if verdict.accepted and marks & used:
            kept.append(Verdict(Reason.REPEATED))
            continue
        kept.append(verdict)
        if verdict.accepted:
            used |= marks
    return kept


def signals_of(request: SignedRequest, header: EpochHeader, nullifier: int) -> PublicSignals:
    """The public signals that a proof for this request has to hold for."""
    asked = request.request
    return PublicSignals(
        nullifier=nullifier,
        root=header.root,
        epoch_tag=header.tag,
        scope=asked.scope,
        challenge=request.challenge,
        policy=asked.policy,
    )


def _prepared(
    request: SignedRequest, response: Answer, trusted: Trusted, now: int, partner_key: bytes | None
) -> _Ready | Verdict:
    """Everything before the pairing."""
    try:
        answer = _read(response)
    except DecodingError as error:
        return Verdict(Reason.FORM, str(error))
    if (request.chain_id, request.registry) != (trusted.chain_id, trusted.registry):
        return Verdict(Reason.REGISTRY)
    if (flaw := request.flaw(now=now, partner_key=partner_key)) is not None:
        return Verdict(Reason[flaw.name])
    asked, circuit = request.request, trusted.circuits.get(answer.circuit_id)
    if circuit is None or answer.circuit_id != asked.circuit_id:
        return Verdict(Reason.CIRCUIT)
    if circuit.key.hash() != circuit.vk_hash:
        return Verdict(Reason.KEY)
    header = trusted.epochs.get(asked.epoch)
    if (reason := _epoch(header, circuit, trusted, now)) is not None or header is None:
        return Verdict(reason or Reason.EPOCH, f"epoch {asked.epoch}")
    if not 0 < answer.nullifier < R:
        return Verdict(Reason.NULLIFIER)
    try:
        proof = groth16.Proof.from_json(answer.proof)
    except ValueError as error:
        return Verdict(Reason.POINT, str(error))
    return _Ready(circuit, signals_of(request, header, answer.nullifier), proof)


def _read(response: Answer) -> TierResponse:
    if isinstance(response, TierResponse):
        return response
    return TierResponse.decode(response) if isinstance(response, bytes) else TierResponse.from_json(response)


def _epoch(header: EpochHeader | None, circuit: Circuit, trusted: Trusted, now: int) -> Reason | None:
    if header is None or header.circuit_id != circuit.circuit_id or header.vk_hash != circuit.vk_hash:
        return Reason.EPOCH
    if header.epoch in trusted.revoked:
        return Reason.REVOKED
    return None if header.active(now) else Reason.INACTIVE
