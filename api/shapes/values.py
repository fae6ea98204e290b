"""The kinds of values that bodies are made of: ids, names, times, amounts. Data and its documentation only.

Ids are narrower than the ledger's, so that each fits into a path unescaped; amounts are the ledger's own. Used by the
other modules of this folder.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from api.parse import ID_CHARS_MAX, ID_PATTERN
from ledger.units import AMOUNT_MAX, MERCHANT_ID_MAX, TERMS_ID_MAX, Positive

NAME_CHARS_MAX = 64
REASON_CHARS_MAX = 200

# For Python `$` also stands before a last newline; for JSON Schema `\Z` is nothing: `api.openapi` spells it for that.
_PATTERN = ID_PATTERN.removesuffix("$") + r"\Z"

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX, pattern=_PATTERN)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset", examples=["2026-07-01T10:00:00+08:00"])]
Money = Annotated[Positive, Meta(description="Minor units of the settlement currency", examples=[12900])]
Au = Annotated[Positive, Meta(description="AU: 1 AU is 1 minor unit of the settlement currency", examples=[500])]
Points = Annotated[Positive, Meta(description="Whole points of one issuer", examples=[120])]
Correction = Annotated[
    int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="Points up (+) or down (-), not 0", examples=[-40])
]
MerchantNo = Annotated[int, Meta(ge=1, le=MERCHANT_ID_MAX, description="A merchant's number", examples=[7])]
Serial = Annotated[int, Meta(ge=1, le=TERMS_ID_MAX, description="A number used once in the alliance", examples=[12])]
Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=REASON_CHARS_MAX,
        pattern=r"^[\x20-\x7e]+\Z",
        description="Why, in printable ASCII",
        examples=["goodwill after a late delivery"],
    ),
]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body has."""

    occurred_at: Moment


class Taken(Body, frozen=True, kw_only=True):
    """What a body about one member has."""

    member: Name
