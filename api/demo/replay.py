"""Plays purchases into the ledger, with the redemptions that the replay conditions derive from them.

Invariants: commands go out in file order, in batches; every key is made from the event's id, so that playing a file
again adds nothing and an interruption loses nothing that was answered; each event ends up in exactly one figure of the
`Tally`, and each refused one also in the rejects file. Who may call: the demo's run and tests. Source of the rule for
redemptions: the replay conditions of the sample purchases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from api.commands import scoped
from api.demo.purchases import DERIVED, Purchase, Rejects
from ledger.answers import Answer, Refusal
from ledger.commands import AnyCommand, Earn, Redeem, Refund

EVENTS_PER_BATCH = 1_000
ONE_PURCHASE_IN = 20
REDEEM_PERCENT_MAX = 30

Post = Callable[[Sequence[AnyCommand]], list[Answer]]


@dataclass(slots=True)
class Tally:
    """What became of the events.

    `taken` were answered with a receipt (`replayed` of them had been before), the others are `refused` by code.
    """

    purchases: int = 0
    refunds: int = 0
    without_origin: int = 0
    redemptions: int = 0
    nothing_to_redeem: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def taken(self) -> int:
        """Purchases and refunds that are in the ledger."""
        return self.purchases + self.refunds


def replay(
    purchases: Iterator[Purchase],
    *,
    post: Post,
    merchant_ids: Mapping[str, int],
    origins: Mapping[str, str],
    rejects: Rejects,
    source: str,
    progress: Callable[[int], None],
) -> Tally:
    """Post all of `purchases` through `post`.

    `progress` hears how many events each batch held. Refusals are recorded under the name `source`.
    """
    tally = Tally()
    while batch := list(islice(purchases, EVENTS_PER_BATCH)):
        asked = [(purchase, command) for purchase in batch for command in commands(purchase, merchant_ids, origins)]
        answers = post([command for _purchase, command in asked])
        for (purchase, command), answer in zip(asked, answers, strict=True):
            _count(tally, purchase, command, answer)
            if isinstance(answer.outcome, Refusal) and not isinstance(command, Redeem):
                rejects.add(source, purchase.line, answer.outcome.code, _reason(answer.outcome), purchase.text)
        progress(len(batch))
    return tally


def commands(purchase: Purchase, merchant_ids: Mapping[str, int], origins: Mapping[str, str]) -> Iterable[AnyCommand]:
    """The command of one event and, for one purchase in twenty, the redemption that follows it."""
    merchant = merchant_ids[purchase.merchant]
    if purchase.kind == "refund":
        yield Refund(
            key=scoped(merchant, purchase.event_id),
            at_ms=purchase.at_ms,
            merchant_id=merchant,
            member=purchase.member,
            refund=purchase.event_id,
            order=origins.get(purchase.event_id),
            amount_minor=purchase.amount_minor,
        )
        return
    yield Earn(
        key=scoped(merchant, purchase.event_id),
        at_ms=purchase.at_ms,
        merchant_id=merchant,
        member=purchase.member,
        order=purchase.event_id,
        amount_minor=purchase.amount_minor,
    )
    au = redeemable_au(purchase)
    if au:
        yield Redeem(
            key=scoped(merchant, DERIVED + purchase.event_id),
            at_ms=purchase.at_ms,
            merchant_id=merchant,
            member=purchase.member,
            redemption=purchase.event_id,
            au=au,
            at_most=True,
        )


def redeemable_au(purchase: Purchase) -> int:
    """What the member wants to pay with points after this purchase, in AU; 0 for nineteen purchases in twenty."""
    if int.from_bytes(sha256(purchase.event_id.encode()).digest(), "big") % ONE_PURCHASE_IN:
        return 0
    return purchase.amount_minor * REDEEM_PERCENT_MAX // 100


def _reason(refusal: Refusal) -> str:
    """The ledger's sentence and the field of the command that it blames, the first that differs where a key was used
    before.
    """
    return refusal.message if refusal.field is None else f"{refusal.message} Field: {refusal.field}."


def _count(tally: Tally, purchase: Purchase, command: AnyCommand, answer: Answer) -> None:
    refused = isinstance(answer.outcome, Refusal)
    if isinstance(command, Redeem):
        tally.redemptions += not refused
        tally.nothing_to_redeem += refused
    elif isinstance(answer.outcome, Refusal):
        tally.refused[answer.outcome.code] += 1
    else:
        tally.purchases += purchase.kind == "purchase"
        tally.refunds += purchase.kind == "refund"
        tally.without_origin += isinstance(command, Refund) and command.order is None
        tally.replayed += answer.replayed
