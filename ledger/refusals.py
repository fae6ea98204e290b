"""How a verb says no, and the catalogue of every way to say it.

    Refused
    ├── malformed            a value outside its type; nothing is remembered
    ├── key-reused           the key belongs to another command; the first keeps it
    └── everything else      depends on the state; remembered, so that a retry never turns from refused to done

A verb raises `Refused` before it changes anything; the book turns it into a `Refusal`. Which verb refuses what, in
which order: docs/ledger.md. The ledger knows no HTTP; who maps codes to statuses is the door.
"""

from __future__ import annotations

from typing import Final

from ledger.answers import Refusal

CATALOGUE: Final[dict[str, str]] = {
    "malformed": "A value is outside its type or range.",
    "key-reused": "This idempotency key was used for another command.",
    "merchant-exists": "A merchant with this number exists.",
    "code-taken": "Another merchant has this code.",
    "merchant-unknown": "No merchant has this number.",
    "merchant-frozen": "The issuer has stopped issuing.",
    "merchant-not-frozen": "The issuer has not stopped issuing.",
    "merchant-closed": "The merchant is closed.",
    "terms-exist": "Terms with this number exist.",
    "notice-too-short": "A worse rate needs the merchant's notice period before it takes effect.",
    "terms-missing": "The issuer has published no terms in force at this time.",
    "member-exists": "A member with this name exists.",
    "member-unknown": "No member has this name.",
    "member-closed": "The member has left for good.",
    "member-frozen": "The member may not spend until it is unfrozen.",
    "member-not-frozen": "The member is not frozen.",
    "member-not-empty": "The member has or owes something, or something is pending or held.",
    "campaign-exists": "A campaign with this number exists.",
    "campaign-empty": "The campaign would end before it begins.",
    "campaign-running": "Another campaign of this merchant runs in that time.",
    "campaign-unknown": "No campaign has this number.",
    "campaign-stopped": "The campaign was stopped before.",
    "rewards-too-high": "The levels together would pay more of a sale than may be paid.",
    "referrer-unknown": "No member has the referrer's name.",
    "self-referral": "Nobody refers themselves.",
    "already-bound": "The member was referred by somebody before.",
    "bought-before": "The member's first purchase came before the referral.",
    "referral-cycle": "The referrer stands below the member.",
    "chain-too-deep": "Too many members would stand above the member.",
    "same-member": "Both names mean one person already.",
    "merged-too-many": "Too many members would mean one person.",
    "member-holds": "An open authorisation holds points of the member.",
    "not-merged": "The member was not merged into another.",
    "merged-since": "Who it was merged into was merged since: take that back first.",
    "spent-since": "Something that either side had at the merge was spent or taken since.",
    "tiers-unordered": "Tiers must ascend strictly from 0, no code twice.",
    "tiers-missing": "The alliance has set no tiers.",
    "member-merged": "This member was merged into another: use that one.",
    "order-exists": "This merchant already has an order of this name.",
    "order-unknown": "This merchant has no order of this name.",
    "order-of-another-member": "The order belongs to another member.",
    "already-confirmed": "The order was confirmed before.",
    "order-cancelled": "Nothing of the order stands: it was called off or refunded whole.",
    "hold-not-over": "The hold is not over.",
    "points-too-many": "The order would earn more points than one command may move.",
    "rule-unknown": "No rule has this number.",
    "rule-unsound": "The rule could not do what it says.",
    "rule-of-another-merchant": "The rule of this number belongs to another merchant.",
    "rule-withdrawn": "The rule was withdrawn.",
    "rule-version": "Versions of a rule count from 1 without gaps.",
    "rule-steps-changed": "A task keeps its steps in every version.",
    "rules-too-many": "The merchant has as many rules as one may have.",
    "event-exists": "This merchant already has an event or order of this name.",
    "redemption-exists": "This merchant already has a redemption of this name.",
    "nothing-to-redeem": "The member has nothing that could be redeemed.",
    "balance-too-low": "The member's spendable points are worth less than asked.",
    "issuer-over-limit": "The collateral of who would owe cannot bear it.",
    "redemption-unknown": "This merchant has no redemption of this name.",
    "hold-too-short": "A hold must end after it begins.",
    "hold-too-long": "A hold may not last that long.",
    "already-resolved": "The authorisation was captured, voided or lapsed before, or was none.",
    "hold-over": "The hold is over; what it held can no longer be captured.",
    "capture-exceeds-hold": "More would be captured than is held.",
    "not-captured": "The redemption is held, released or disputed, not captured.",
    "cancellation-exists": "This merchant already has a cancellation of this name.",
    "cancel-exceeds-redemption": "More would be cancelled than is left of the redemption.",
    "cancel-below-a-point": "What would be cancelled of an issuer's leg is worth less than a point of it.",
    "not-drawn-on": "The redemption drew no points of this issuer, or none are left of them.",
    "disputed-before": "This issuer has disputed the redemption before, and it was resolved.",
    "not-disputed": "The redemption is not disputed.",
    "refund-exists": "This merchant already has a refund of this name.",
    "refund-exceeds-order": "The refunds of this order would exceed its amount.",
    "self-transfer": "Giver and receiver are one person.",
    "transfer-exists": "This issuer already has a transfer of this name.",
    "transfers-off": "This issuer's points cannot be transferred.",
    "not-in-one-pool": "Giver and receiver are not in one family pool.",
    "pool-cap": "The pool's cap for this member, issuer and day would be passed.",
    "pool-exists": "A pool of this name exists.",
    "pool-unknown": "No pool has this name.",
    "pool-full": "The pool has as many members as a pool may have.",
    "in-a-pool": "The member is in a pool.",
    "not-in-pool": "The member is not in this pool.",
    "same-issuer": "The two issuers are one.",
    "rate-missing": "No exchange rate of this pair is in force at this time.",
    "exchange-exists": "This issuer already has an exchange of this name.",
    "exchange-too-small": "So few points give no point of the other issuer.",
    "nothing-to-expire": "None of the member's lots is over at this time.",
    "adjustment-exists": "This issuer already has an adjustment of this name.",
    "adjustment-unknown": "This issuer has no adjustment of this name.",
    "adjustment-zero": "An adjustment must give or take something.",
    "adjustment-decided": "The adjustment was decided before.",
    "same-person": "Who asked for the adjustment cannot approve it.",
    "opening-exists": "This member's balance of this source was brought in before.",
    "already-expired": "The points would be over at once.",
    "cycle-charged": "The fees of this cycle were charged before.",
    "batch-settled": "The nets of this batch were recorded before.",
    "nets-unordered": "Nets must ascend strictly by merchant, without zeros.",
    "nets-unbalanced": "Nets must sum to zero.",
    "balance-out-of-range": "A balance would leave the range an account can hold.",
}


class Refused(Exception):
    """A command that cannot be done, with the input at fault and both sides of a mismatch."""

    def __init__(self, code: str, field: str | None = None, /, **data: int | str) -> None:
        super().__init__(code)
        self.refusal = Refusal(code=code, message=CATALOGUE[code], field=field, data=data)
