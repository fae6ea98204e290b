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
    (merchant, rule) likewise; `events` are (merchant, member, trigger), wanted with the counters of rules they meet;
    `sponsors` are merchants that a campaign is being published for, `bonds` (member, referrer) that are being bound:
    what follows in the same batch may reward through them; `everywhere` are members whose accounts with every merchant
    are asked for; `buyers` are members one of whose orders is refunded, be it one of the same batch; `merging` are
    (member, into) that become or stop being one person; `evaluated` are (member, instant) whose tier is asked for,
    `tier_spans_ms` how far back tiers look that are being set.
    """

    __slots__ = (
        "bonds",
        "buyers",
        "claims",
        "evaluated",
        "events",
        "every_merchant",
        "everywhere",
        "issuers_of",
        "members",
        "merchants",
        "merging",
        "orders",
        "records",
        "refunded",
        "rules",
        "spenders",
        "sponsors",
        "terms",
        "tier_spans_ms",
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
        self.sponsors: set[int] = set()
        self.bonds: list[tuple[str, str]] = []
        self.buyers: set[str] = set()
        self.merging: list[tuple[str, str]] = []
        self.everywhere: set[str] = set()
        self.evaluated: list[tuple[str, int]] = []
        self.tier_spans_ms: list[int] = []
        self.rules: list[tuple[int, Rule]] = []
        self.events: list[tuple[int, str, Trigger]] = []
        self.every_merchant = False

    def member_with(self, member: str, issuer: int) -> None:
        """This member's account with this issuer will be posted to."""
        self.members.add(member)
        self.merchants.add(issuer)
        self.issuers_of.setdefault(member, set()).add(issuer)
