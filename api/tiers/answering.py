"""How what these doors know looks outside: requests with their predicate in words, partners, decisions, moments.

Pure. Called by the handlers of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Response

from api.shapes.tiers import ConsentOut, PartnerOut, ProofRequestOut
from api.tiers.rows import Asked, Consent, Partner
from proofs.json_form import hex_text

_encode = msgspec.json.Encoder().encode


def json_of(found: Any, status: int = 200) -> Response:
    """An answer."""
    return Response(_encode(found), status_code=status, media_type="application/json")


def moment_of(at: datetime | None) -> str | None:
    """An instant as RFC 3339 text, null for none."""
    return None if at is None else at.isoformat()


def shown_request(asked: Asked, tier_names: Sequence[str]) -> ProofRequestOut:
    """What a member is shown of a request; `tier_names` by rank, as the epoch has them."""
    request = asked.signed.request
    return ProofRequestOut(
        id=hex_text(asked.id),
        partner_id=request.partner_id,
        audience=request.audience,
        purpose=request.purpose,
        window_id=request.window_id,
        predicate=request.predicate.in_words(tier_names),
        cohort=asked.cohort,
        epoch=request.epoch,
        max_uses=request.max_uses,
        expires_at=asked.expires_at.isoformat(),
        signed=asked.signed.to_json(),
    )


def shown_consent(consent: Consent, tier_names: Sequence[str]) -> ConsentOut:
    return ConsentOut(
        request=shown_request(consent.asked, tier_names),
        given=consent.given,
        assisted=consent.assisted,
        linkable=consent.linkable,
        decided_at=consent.decided_at.isoformat(),
    )


def shown_partner(partner: Partner) -> PartnerOut:
    return PartnerOut(
        partner_id=partner.partner_id,
        audience=partner.audience,
        address=hex_text(partner.address),
        grid=partner.grid.to_json(),
        asks_per_day_max=partner.asks_per_day_max,
        narrowings_max=partner.narrowings_max,
        registered_at=partner.registered_at.isoformat(),
        ended_at=moment_of(partner.ended_at),
    )
