"""What a batch of commands needs to see, said before it is loaded. Verbs fill it; the store loads it; no decisions."""

from __future__ import annotations

from ledger.records import RecordName
from ledger.rules.facts import Trigger
from ledger.rules.rule import Rule
from ledger.slice import Claim


class Wants:
    """Names of the rows a batch will ask for. `spenders` are members whose open lots are drawn.

    `members` come with everybody above them; `refunded` are orders wanted with the open lots of everybody who earned by
    them; `records` come with the lots they name; `terms` are (issuer, terms) that are being published, `rules`
    (merchant, rule) likewise; `events` are (merchant, member, trigger), wanted with the counters of rules they meet.
    """

    __slots__ = (
        "claims",
        "events",
        "every_merchant",
        "issuers_of",
        "members",
        "merchants",
        "orders",
        "records",
        "refunded",
        "rules",
        "spenders",
        "terms",
    )

    def __init__(self) -> None:
        self.merchants: set[int] = set()
        self.members: set[str] = set()
        self.spenders: set[str] = set()
        self.orders: set[tuple[int, str]] = set()
        self.refunded: set[tuple[int, str]] = set()
        self.claims: set[Claim] = set()
        self.records: set[RecordName] = set()
        self.issuers_of: dict[str, set[int]] = {}
        self.terms: set[tuple[int, int]] = set()
        self.rules: list[tuple[int, Rule]] = []
        self.events: list[tuple[int, str, Trigger]] = []
        self.every_merchant = False

    def member_with(self, member: str, issuer: int) -> None:
        """This member's account with this issuer will be posted to."""
        self.members.add(member)
        self.merchants.add(issuer)
        self.issuers_of.setdefault(member, set()).add(issuer)
