"""What merchants promise, held whole: few rows, read by every verb, changed rarely. No SQL, no decisions.

The registry is made by playing its commands in journal order; what came later wins from its own time on. Verbs write to
it through `Entry.configure` alone.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from ledger.commands import (
    CloseMerchant,
    Configuring,
    FreezeMerchant,
    OpenMerchant,
    PublishCampaign,
    PublishExchange,
    PublishRule,
    PublishTerms,
    SetCollateral,
    SetTiers,
    StopCampaign,
    UnfreezeMerchant,
    WithdrawRule,
)
from ledger.rules.published import Published


def in_force_from(terms: PublishTerms) -> int:
    """When terms take effect: as they say, else when they were published."""
    return terms.at_ms if terms.from_ms is None else terms.from_ms


def place(terms: PublishTerms) -> tuple[int, int]:
    """Where terms stand among their issuer's: of two that begin together the higher number counts."""
    return in_force_from(terms), terms.terms_id


class Registry:
    """Merchants, terms and campaigns by number, exchange rates by pair, rules, tiers; who is frozen or closed.

    A merchant's limit is what counts of it now; `agreed` has what it was opened with, if collateral was ever set.
    """

    __slots__ = (
        "agreed",
        "campaigns",
        "campaigns_of",
        "closed",
        "codes",
        "exchanges",
        "frozen",
        "merchants",
        "rules",
        "stopped",
        "terms",
        "terms_of",
        "tiers",
    )

    def __init__(self) -> None:
        self.merchants: dict[int, OpenMerchant] = {}
        self.agreed: dict[int, int | None] = {}
        self.codes: set[str] = set()
        self.terms: dict[int, PublishTerms] = {}
        self.terms_of: dict[int, list[PublishTerms]] = {}
        self.exchanges: dict[tuple[int, int], list[PublishExchange]] = {}
        self.campaigns: dict[int, PublishCampaign] = {}
        self.campaigns_of: dict[int, list[PublishCampaign]] = {}
        self.stopped: dict[int, int] = {}
        self.rules = Published()
        self.tiers: SetTiers | None = None
        self.frozen: dict[int, int] = {}
        self.closed: dict[int, int] = {}

    def play(self, command: Configuring) -> None:
        """Take one configuration command in."""
        match command:
            case OpenMerchant():
                self.merchants[command.merchant_id] = command
                self.codes.add(command.code)
            case PublishTerms():
                self._add_terms(command)
            case PublishExchange():
                of_pair = self.exchanges.setdefault((command.from_issuer_id, command.to_issuer_id), [])
                of_pair.append(command)
                of_pair.sort(key=lambda each: each.at_ms)
            case PublishCampaign():
                self.campaigns[command.campaign_id] = command
                self.campaigns_of.setdefault(command.merchant_id, []).append(command)
            case StopCampaign():
                self.stopped.setdefault(command.campaign_id, command.at_ms)
            case PublishRule():
                self.rules.add(command.merchant_id, command.rule)
            case WithdrawRule():
                self.rules.withdraw(command.rule_id, command.at_ms)
            case SetTiers():
                self.tiers = command
            case SetCollateral():
                self._secure(command)
            case FreezeMerchant():
                self.frozen[command.merchant_id] = command.at_ms
            case UnfreezeMerchant():
                del self.frozen[command.merchant_id]
            case CloseMerchant():
                self.closed[command.merchant_id] = command.at_ms
            case _:
                assert_never(command)

    def _secure(self, command: SetCollateral) -> None:
        """Of the limit that was agreed as much counts as there is collateral."""
        merchant = self.merchants[command.merchant_id]
        agreed = self.agreed.setdefault(command.merchant_id, merchant.credit_limit_au)
        if agreed is not None:
            limit = min(agreed, command.collateral_au)
            self.merchants[command.merchant_id] = replace(merchant, credit_limit_au=limit)

    def _add_terms(self, terms: PublishTerms) -> None:
        """Keeps the issuer's terms by (in force from, number)."""
        self.terms[terms.terms_id] = terms
        of_issuer = self.terms_of.setdefault(terms.issuer_id, [])
        of_issuer.append(terms)
        of_issuer.sort(key=place)

    def terms_at(self, issuer: int, at_ms: int) -> PublishTerms | None:
        """The newest terms of `issuer` in force at `at_ms`."""
        for each in reversed(self.terms_of.get(issuer, ())):
            if in_force_from(each) <= at_ms:
                return each
        return None

    def exchange_at(self, from_issuer: int, to_issuer: int, at_ms: int) -> PublishExchange | None:
        """The newest rate of this pair in force at `at_ms`."""
        for each in reversed(self.exchanges.get((from_issuer, to_issuer), ())):
            if each.at_ms <= at_ms:
                return each
        return None

    def campaign_at(self, seller: int, at_ms: int) -> PublishCampaign | None:
        """The seller's newest campaign that rewards an order paid at `at_ms`, None if there is none or it was
        stopped.
        """
        for each in reversed(self.campaigns_of.get(seller, ())):
            if each.at_ms <= at_ms < each.until_ms and not self.is_stopped(each.campaign_id, at_ms):
                return each
        return None

    def is_stopped(self, campaign_id: int, at_ms: int) -> bool:
        """Whether the campaign's kill switch was pulled by `at_ms`."""
        stopped = self.stopped.get(campaign_id)
        return stopped is not None and stopped <= at_ms

    def is_frozen(self, merchant_id: int) -> bool:
        """Whether the issuer stopped issuing; a closed one did before."""
        return merchant_id in self.frozen

    def is_closed(self, merchant_id: int) -> bool:
        """Whether the issuer's run-off is over."""
        return merchant_id in self.closed
