"""Earning rules: the bodies that publish and withdraw them, and how they are listed. Data only. Used by `api.rules`.

Inside a rule times are milliseconds since the Unix epoch, as the ledger keeps them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from api.shapes.values import Body
from ledger.rules.rule import Rule


class NewRule(Body, frozen=True, kw_only=True):
    """A rule of the caller's, or the next version of one. It pays in the caller's points."""

    rule: Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/Rule"})]


class RuleWithdrawal(Body, frozen=True, kw_only=True):
    """The rule of the address ends for events from `occurred_at` on."""


class RuleOut(Struct, frozen=True, kw_only=True):
    """One version of a rule."""

    rule_id: int
    version: int
    withdrawn_at: str | None
    rule: Rule


class RulesOut(Struct, frozen=True, kw_only=True):
    """The caller's rules, and the number that the next one may have."""

    rules: list[RuleOut]
    next_rule_id: int
