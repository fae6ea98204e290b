"""Earning rules as data: published, withdrawn, listed. Mounted by `api.app`.

A rule travels as the ledger keeps it (`ledger.rules.rule`), so that what is evaluated is what was sent. Whatever of it
the ledger would not read is refused at the door: a misspelt cap must not be a rule without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api import examples
from api.auth import Caller, allowed
from api.commands import Asked
from api.door import Door, door_of
from api.openapi import documented
from api.parse import moment, no_parameters
from api.problems import invalid
from api.shapes.rules import NewRule, RuleOut, RulesOut, RuleWithdrawal
from api.writes import PROMISE_AGE_SECONDS_MAX, Write, mount
from ledger.commands import PublishRule, WithdrawRule
from ledger.queries import registry
from ledger.rules.published import Published
from ledger.rules.rule import Rule

router = APIRouter()
READER = Annotated[Caller, Depends(allowed("configuration:read"))]
NESTING_MAX = 32
"""Objects and lists inside each other: twice what the deepest condition takes, and more."""
_TOO_DEEP = f"nests over {NESTING_MAX} deep"
_encode = msgspec.json.Encoder().encode


def strangers(sent: Any, read: Any, pointer: str = "") -> list[str]:
    """Pointers to what was sent and not read, at any depth."""
    if isinstance(sent, dict):
        return [
            found
            for name, value in sent.items()
            for found in (strangers(value, read[name], f"{pointer}/{name}") if name in read else [f"{pointer}/{name}"])
        ]
    if isinstance(sent, list):
        pairs = enumerate(zip(sent, read, strict=True))
        return [found for no, (each, known) in pairs for found in strangers(each, known, f"{pointer}/{no}")]
    return []


def publish(body: NewRule, asked: Asked) -> PublishRule:
    """The rule as the ledger reads it. Refuses with field-invalid what it would not."""
    rule = _rule(body)
    return PublishRule(key=asked.key, at_ms=asked.at_ms, merchant_id=asked.merchant_id, rule=rule)


def _rule(body: NewRule) -> Rule:
    try:
        sent = msgspec.json.decode(body.rule)
        _bounded(sent)
        rule = msgspec.convert(sent, Rule)
    except RecursionError as error:
        raise invalid("/rule", _TOO_DEEP) from error
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        pointer = "/rule" + place.removesuffix("`").replace(".", "/").replace("[", "/").replace("]", "")
        raise invalid(pointer, message) from error
    for pointer in strangers(sent, msgspec.to_builtins(rule)):
        raise invalid(f"/rule{pointer}", "the ledger knows no such field here")
    return rule


def _bounded(sent: Any) -> None:
    """Refuses what no rule needs, before anything goes down into it: the ledger would have to as well, in the midst of
    a batch.
    """
    layer = [sent]
    for _ in range(NESTING_MAX):
        layer = [part for each in layer for part in _parts(each)]
        if not layer:
            return
    raise invalid("/rule", _TOO_DEEP)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def withdraw(_body: RuleWithdrawal, asked: Asked) -> WithdrawRule:
    """That the rule is the caller's is for `own_rule` to see."""
    return WithdrawRule(key=asked.key, at_ms=asked.at_ms, rule_id=int(asked.named["rule_id"]))


def own_rule(door: Door, caller: Caller, command: WithdrawRule) -> None:
    """Refuses with rule-unknown what is not the caller's: whose else it is, is nobody's business."""
    with door.reading() as connection:
        owner = registry(connection).rules.owner.get(command.rule_id)
    if owner != caller.merchant_id:
        raise invalid("#path/rule_id", "you have no rule of this number", code="rule-unknown")


mount(
    router,
    Write(
        path="/v1/rules",
        name="post_rule",
        scope="configuration:write",
        takes=NewRule,
        makes=publish,
        verbs=("publish_rule",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Publish an earning rule, or its next version",
        text="Trigger, condition, reward, caps, stacking, validity; with `steps` a task of several events. What was"
        " granted stays as it is. Try it with ?dry_run=true on an event: `why` says what each rule asked, what was"
        " granted and why.",
        example=examples.RULE,
    ),
    Write(
        path="/v1/rules/{rule_id}/withdraw",
        name="post_rule_withdraw",
        scope="configuration:write",
        takes=RuleWithdrawal,
        makes=withdraw,
        verbs=("withdraw_rule",),
        named={"rule_id": 12},
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        check=own_rule,
        check_codes=("rule-unknown",),
        summary="Withdraw a rule",
        text="It grants nothing for events from `occurred_at` on, and its number is not used again.",
        example=examples.MOMENT,
    ),
)


@router.get(
    "/v1/rules",
    **documented(
        "Your rules",
        "Every version of every rule, withdrawn ones too.",
        gives=(200, "All of them, by number and version", "RulesOut"),
        codes=("field-invalid",),
    ),
)
def get_rules(request: Request, caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        published = registry(connection).rules
    mine = sorted(rule_id for rule_id, owner in published.owner.items() if owner == caller.merchant_id)
    found = RulesOut(
        rules=[out for rule_id in mine for out in _versions(published, rule_id)],
        next_rule_id=max(published.owner, default=0) + 1,
    )
    return Response(_encode(found), media_type="application/json")


def _versions(published: Published, rule_id: int) -> list[RuleOut]:
    withdrawn_ms = published.withdrawn.get(rule_id)
    withdrawn_at = None if withdrawn_ms is None else moment(withdrawn_ms)
    return [
        RuleOut(rule_id=rule_id, version=rule.version, withdrawn_at=withdrawn_at, rule=rule)
        for rule in published.versions[rule_id]
    ]
