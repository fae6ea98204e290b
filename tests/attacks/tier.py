"""An honest world of tier proofs, with everything an attacker may change: requests, answers, trust files.

Read from the golden answers, whose proofs are real and over development keys; what has to be signed anew is signed with
the open keys of the vectors. Called by the attacks on the verifier and on wallets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coincurve import PrivateKey

from proofs.tier.header import EpochHeader
from proofs.tier.request import SignedRequest
from proofs.tier.trusted import Trusted
from tests.proofs.tier.answers import ANSWERS
from tests.proofs.tier.vectors import CHAIN_ID, EPOCH_KEY, PARTNER_KEY, REGISTRY

HELD: dict[str, Any] = json.loads(ANSWERS.read_text())
NOW: int = HELD["now"]
FORM: dict[str, Any] = HELD["trusted"]
TRUSTED = Trusted.from_json(FORM, allow_dev=True)
HEADER = EpochHeader.from_json(FORM["epochs"][0]["header"])
FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
BASE_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583


def request(at: int = 0) -> SignedRequest:
    """A request that one of the golden answers answers."""
    return SignedRequest.from_json(HELD["answers"][at]["request"])


def answer(at: int = 0) -> dict[str, Any]:
    """The form of a golden answer, the caller's to change."""
    return dict(json.loads(json.dumps(HELD["answers"][at]["response"])))


def asked(at: int = 0, **fields: Any) -> SignedRequest:
    """The request with other fields, signed anew by the partner."""
    return replace(request(at).request, **fields).sign(PrivateKey(PARTNER_KEY), CHAIN_ID, REGISTRY)


def trusting(changes: Mapping[str, Any] | None = None, **header: Any) -> Trusted:
    """The trust file with other fields, or with a header that says something else and is signed anew."""
    signed = replace(HEADER, **header).sign(PrivateKey(EPOCH_KEY), CHAIN_ID, REGISTRY)
    return Trusted.from_json(FORM | {"epochs": [signed.to_json()]} | dict(changes or {}), allow_dev=True)
