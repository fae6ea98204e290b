"""What merchants promise: who they are, terms, campaigns, exchange rates, tiers; and the end of the cycle."""

from __future__ import annotations

import math
from fractions import Fraction

from tests.oracle.books import GUARANTEE, OPERATOR, RESERVE, Books, Command, refuse_if
from tests.oracle.earning import known_merchant
from tests.oracle.pricing import from_ms

REFERRAL_BPS_MAX = 5_000


def open_merchant(books: Books, command: Command) -> None:
    refuse_if(command["merchant_id"] in books.merchants, "merchant-exists")
    refuse_if(command["code"] in {merchant["code"] for merchant in books.merchants.values()}, "code-taken")
    books.merchants[command["merchant_id"]] = command


def publish_terms(books: Books, command: Command) -> None:
    known_merchant(books, command["issuer_id"])
    refuse_if(command["terms_id"] in books.terms, "terms-exist")
    ours = [terms for terms in books.terms.values() if terms["issuer_id"] == command["issuer_id"]]
    line = sorted([*ours, command], key=lambda terms: (from_ms(terms), terms["terms_id"]))
    for worse in line:
        refuse_if(falls_short(books, line, worse, command), "notice-too-short")
    books.terms[command["terms_id"]] = command


def falls_short(books: Books, line: list[Command], worse: Command, new: Command) -> bool:
    """Whether terms begin too soon after their publication, and are less than others that held, or would hold, at some
    instant in between; the new ones are among the two.
    """
    notice = books.merchants[worse["issuer_id"]].get("notice_ms", 0)
    known, begins = worse["at_ms"], from_ms(worse)
    if begins >= known + notice:
        return False
    others = [terms for terms in line if terms is not worse]
    for i, better in enumerate(others):
        before = line.index(better) < line.index(worse) and new in (better, worse)
        ends = from_ms(others[i + 1]) if others[i + 1 :] else math.inf
        if before and ends > max(min(known, begins), from_ms(better)) and value(worse) < value(better):
            return True
    return False


def value(terms: Command) -> Fraction:
    return Fraction(terms["au_num"], terms["au_den"])


def publish_campaign(books: Books, command: Command) -> None:
    """One at a time of a seller, so that an order has at most one rule to reward by."""
    known_merchant(books, command["merchant_id"])
    refuse_if(command["campaign_id"] in books.campaigns, "campaign-exists")
    refuse_if(command["until_ms"] <= command["at_ms"], "campaign-empty")
    refuse_if(sum(command["level_bps"]) > REFERRAL_BPS_MAX, "rewards-too-high")
    for number, other in books.campaigns.items():
        ends = min(other["until_ms"], books.stopped.get(number, other["until_ms"]))
        together = other["at_ms"] < command["until_ms"] and command["at_ms"] < ends
        refuse_if(together and other["merchant_id"] == command["merchant_id"], "campaign-running")
    books.campaigns[command["campaign_id"]] = command


def publish_exchange(books: Books, command: Command) -> None:
    known_merchant(books, command["from_issuer_id"])
    known_merchant(books, command["to_issuer_id"])
    refuse_if(command["from_issuer_id"] == command["to_issuer_id"], "same-issuer")
    books.exchanges.append(command)


def set_collateral(books: Books, command: Command) -> None:
    """A limit is worth what stands behind it."""
    known_merchant(books, command["merchant_id"])
    merchant = books.merchants[command["merchant_id"]]
    agreed = merchant.get("agreed_au", merchant["credit_limit_au"])
    if agreed is not None:
        limit = min(agreed, command["collateral_au"])
        books.merchants[command["merchant_id"]] = {**merchant, "agreed_au": agreed, "credit_limit_au": limit}


def freeze_merchant(books: Books, command: Command) -> None:
    """It issues no more; what it issued stays good."""
    known_merchant(books, command["merchant_id"])
    refuse_if(command["merchant_id"] in books.leaving, "merchant-frozen")
    books.leaving.add(command["merchant_id"])


def unfreeze_merchant(books: Books, command: Command) -> None:
    """It stays after all."""
    known_merchant(books, command["merchant_id"])
    refuse_if(command["merchant_id"] not in books.leaving, "merchant-not-frozen")
    refuse_if(command["merchant_id"] in books.left, "merchant-closed")
    books.leaving.remove(command["merchant_id"])


def close_merchant(books: Books, command: Command) -> None:
    """Its run-off is over: it accepts nothing, and nobody accepts its points; nothing moves."""
    known_merchant(books, command["merchant_id"])
    refuse_if(command["merchant_id"] not in books.leaving, "merchant-not-frozen")
    refuse_if(command["merchant_id"] in books.left, "merchant-closed")
    books.left.add(command["merchant_id"])


def stop_campaign(books: Books, command: Command) -> None:
    refuse_if(command["campaign_id"] not in books.campaigns, "campaign-unknown")
    refuse_if(command["campaign_id"] in books.stopped, "campaign-stopped")
    books.stopped[command["campaign_id"]] = command["at_ms"]


def charge_fees(books: Books, command: Command) -> None:
    """The cycle ends: what accrued becomes cash, and every position stays what it was."""
    refuse_if(("cycle", 0, command["cycle"]) in books.names, "cycle-charged")
    books.cash.update(books.fees)
    books.fees.clear()
    books.names.add(("cycle", 0, command["cycle"]))


def settle_nets(books: Books, command: Command) -> None:
    """What the chain moved is settled."""
    nets = command["nets"]
    parties = [net["merchant_id"] for net in nets]
    refuse_if(parties != sorted(set(parties)) or not all(net["au"] for net in nets), "nets-unordered")
    refuse_if(sum(net["au"] for net in nets), "nets-unbalanced")
    for party in parties:
        refuse_if(party not in books.merchants and party not in {OPERATOR, RESERVE, GUARANTEE}, "merchant-unknown")
    settled = ("batch", command.get("recovered_in", 0), str(command["batch_no"]))
    refuse_if(settled in books.names, "batch-settled")
    for net in nets:
        books.settled[net["merchant_id"]] += net["au"]
    books.names.add(settled)
