"""The pure book: one command in, one answer out, decided on a slice. No SQL, no clock, no randomness.

The same book serves the store, the tests and the rebuild. Invariants: a key is answered once, and every later use of it
gets those bytes or is refused naming the field that differs; what is refused leaves nothing but that answer; entries
are numbered without gaps; results do not depend on how commands are grouped. The store, `ledger.rebuild` and tests call
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ledger import commands
from ledger.answers import Answer, Receipt, Refusal, body, parse_receipt, parse_refusal
from ledger.commands import AnyCommand, Command
from ledger.effects import AnswerRow, Effects, JournalRow
from ledger.entry import Entry
from ledger.refusals import CATALOGUE, Refused
from ledger.rules.rule import unreadable
from ledger.slice import Remembered, Slice
from ledger.verbs import (
    adjust,
    approve_adjustment,
    authorize,
    bind_referral,
    cancel_pending,
    cancel_redemption,
    capture,
    charge_fees,
    close_member,
    close_merchant,
    confirm,
    dispute,
    earn,
    enrol,
    evaluate_tier,
    exchange,
    expire,
    freeze_member,
    freeze_merchant,
    join_pool,
    lapse_hold,
    leave_pool,
    merge,
    observe,
    open_balance,
    open_merchant,
    open_pool,
    publish_campaign,
    publish_exchange,
    publish_rule,
    publish_terms,
    redeem,
    refund,
    reject_adjustment,
    resolve_dispute,
    set_collateral,
    set_tiers,
    settle_nets,
    stop_campaign,
    transfer,
    unfreeze_member,
    unfreeze_merchant,
    unmerge,
    void,
    withdraw_rule,
)
from ledger.wants import Wants

_FIELD = re.compile(r"at `\$\.([a-z_]+)")


class Verb(NamedTuple):
    """How a command is decided and what it needs to see."""

    decide: Callable[[Any, Entry], dict[str, int | str]]
    wants: Callable[[Any, Wants], None]


VERBS: dict[type[Command], Verb] = {
    commands.OpenMerchant: Verb(open_merchant.open_merchant, open_merchant.wants),
    commands.PublishTerms: Verb(publish_terms.publish_terms, publish_terms.wants),
    commands.PublishCampaign: Verb(publish_campaign.publish_campaign, publish_campaign.wants),
    commands.StopCampaign: Verb(stop_campaign.stop_campaign, stop_campaign.wants),
    commands.SetTiers: Verb(set_tiers.set_tiers, set_tiers.wants),
    commands.EvaluateTier: Verb(evaluate_tier.evaluate_tier, evaluate_tier.wants),
    commands.BindReferral: Verb(bind_referral.bind_referral, bind_referral.wants),
    commands.PublishRule: Verb(publish_rule.publish_rule, publish_rule.wants),
    commands.WithdrawRule: Verb(withdraw_rule.withdraw_rule, withdraw_rule.wants),
    commands.Observe: Verb(observe.observe, observe.wants),
    commands.Enrol: Verb(enrol.enrol, enrol.wants),
    commands.FreezeMember: Verb(freeze_member.freeze_member, freeze_member.wants),
    commands.UnfreezeMember: Verb(unfreeze_member.unfreeze_member, unfreeze_member.wants),
    commands.Merge: Verb(merge.merge, merge.wants),
    commands.Unmerge: Verb(unmerge.unmerge, unmerge.wants),
    commands.CloseMember: Verb(close_member.close_member, close_member.wants),
    commands.Earn: Verb(earn.earn, earn.wants),
    commands.Confirm: Verb(confirm.confirm, confirm.wants),
    commands.Redeem: Verb(redeem.redeem, redeem.wants),
    commands.Authorize: Verb(authorize.authorize, authorize.wants),
    commands.Capture: Verb(capture.capture, capture.wants),
    commands.Void: Verb(void.void, void.wants),
    commands.LapseHold: Verb(lapse_hold.lapse_hold, lapse_hold.wants),
    commands.CancelRedemption: Verb(cancel_redemption.cancel_redemption, cancel_redemption.wants),
    commands.Dispute: Verb(dispute.dispute, dispute.wants),
    commands.ResolveDispute: Verb(resolve_dispute.resolve_dispute, resolve_dispute.wants),
    commands.Refund: Verb(refund.refund, refund.wants),
    commands.ChargeFees: Verb(charge_fees.charge_fees, charge_fees.wants),
    commands.SettleNets: Verb(settle_nets.settle_nets, settle_nets.wants),
    commands.Adjust: Verb(adjust.adjust, adjust.wants),
    commands.ApproveAdjustment: Verb(approve_adjustment.approve_adjustment, approve_adjustment.wants),
    commands.CancelPending: Verb(cancel_pending.cancel_pending, cancel_pending.wants),
    commands.CloseMerchant: Verb(close_merchant.close_merchant, close_merchant.wants),
    commands.Exchange: Verb(exchange.exchange, exchange.wants),
    commands.Expire: Verb(expire.expire, expire.wants),
    commands.SetCollateral: Verb(set_collateral.set_collateral, set_collateral.wants),
    commands.FreezeMerchant: Verb(freeze_merchant.freeze_merchant, freeze_merchant.wants),
    commands.UnfreezeMerchant: Verb(unfreeze_merchant.unfreeze_merchant, unfreeze_merchant.wants),
    commands.JoinPool: Verb(join_pool.join_pool, join_pool.wants),
    commands.LeavePool: Verb(leave_pool.leave_pool, leave_pool.wants),
    commands.OpenBalance: Verb(open_balance.open_balance, open_balance.wants),
    commands.OpenPool: Verb(open_pool.open_pool, open_pool.wants),
    commands.PublishExchange: Verb(publish_exchange.publish_exchange, publish_exchange.wants),
    commands.RejectAdjustment: Verb(reject_adjustment.reject_adjustment, reject_adjustment.wants),
    commands.Transfer: Verb(transfer.transfer, transfer.wants),
}

_NAMES = {command: str(command.__struct_config__.tag) for command in VERBS}


class Admitted(NamedTuple):
    """A command whose every value is inside its type, with its canonical bytes."""

    command: AnyCommand
    canonical: bytes


def admit(command: Command) -> Admitted | Answer:
    """Check the command's values alone. What is malformed is answered here and remembered nowhere."""
    try:
        if isinstance(command, commands.PublishRule) and (problem := unreadable(command.rule)):
            return _unremembered("malformed", "rule", problem=problem)
        canonical = commands.canonical(command)
        return Admitted(commands.parse(canonical), canonical)
    except (msgspec.MsgspecError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        found = _FIELD.search(str(error))
        return _unremembered("malformed", found.group(1) if found else None, problem=str(error))


class Book:
    """Decides commands on `slice` and keeps what is to be written in `effects`."""

    def __init__(self, state: Slice) -> None:
        self.slice = state
        self.effects = Effects()

    def apply(self, command: Command) -> Answer:
        """Admit and decide one command."""
        admitted = admit(command)
        return admitted if isinstance(admitted, Answer) else self.decide(admitted)

    def decide(self, admitted: Admitted) -> Answer:
        """The answer to an admitted command, the first one if its key was used before."""
        first = self.slice.answers[admitted.command.key]
        return self._first_time(admitted) if first is None else _again(first, admitted)

    def take_effects(self) -> Effects:
        """What was decided since the last call."""
        effects, self.effects = self.effects, Effects()
        return effects

    def _first_time(self, admitted: Admitted) -> Answer:
        command = admitted.command
        entry = Entry(self.slice, self.effects, command.at_ms)
        try:
            why = VERBS[type(command)].decide(command, entry)
        except Refused as refused:
            entry.undo()
            return self._refuse(admitted, refused.refusal)
        return self._record(admitted, entry, why)

    def _refuse(self, admitted: Admitted, refusal: Refusal) -> Answer:
        answered = body(refusal)
        self.effects.answers.append(AnswerRow(admitted.command.key, None, admitted.canonical, answered))
        self.slice.answers[admitted.command.key] = Remembered(admitted.canonical, answered, done=False)
        return Answer(refusal, replayed=False, body=answered)

    def _record(self, admitted: Admitted, entry: Entry, why: dict[str, int | str]) -> Answer:
        command = admitted.command
        verb = _NAMES[type(command)]
        receipt = Receipt(
            seq=entry.seq,
            verb=verb,
            key=command.key,
            at_ms=command.at_ms,
            legs=tuple(entry.legs),
            postings=tuple(entry.postings),
            lots=tuple(entry.lots),
            why=why,
        )
        answered = body(receipt)
        self.slice.seq = entry.seq
        self.slice.answers[command.key] = Remembered(admitted.canonical, answered, done=True)
        self.effects.journal.append(JournalRow(entry.seq, verb, command.at_ms, admitted.canonical, answered))
        self.effects.answers.append(AnswerRow(command.key, entry.seq, None, None))
        self.effects.postings.extend([(entry.seq, posting) for posting in entry.postings])
        return Answer(receipt, replayed=False, body=answered)


def _again(first: Remembered, admitted: Admitted) -> Answer:
    """The first answer byte for byte, or a refusal naming what differs from the first command."""
    if first.command != admitted.canonical:
        field = _difference(first.command, admitted.canonical)
        return _unremembered("key-reused", field, key=admitted.command.key)
    outcome = parse_receipt(first.body) if first.done else parse_refusal(first.body)
    return Answer(outcome, replayed=True, body=first.body)


def _difference(first: bytes, second: bytes) -> str:
    """The first field, in declared order, in which two commands differ; `verb` when they are different commands."""
    was, now = msgspec.json.decode(first), msgspec.json.decode(second)
    return next(name for name in ["verb", *map(str, was), *map(str, now)] if was.get(name) != now.get(name))


def _unremembered(code: str, field: str | None, **data: int | str) -> Answer:
    refusal = Refusal(code=code, message=CATALOGUE[code], field=field, data=data)
    return Answer(refusal, replayed=False, body=body(refusal))
