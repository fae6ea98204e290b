"""A small alliance for the tests of sealing: a scripted ledger that hands out journal entries of every kind, and its
batches.

The real ledger has its own tests, and a test of its own joins it to sealing; here journals must also be possible that
it does not write yet (expiry, transfers, returned redemptions) or must never write (gaps, wrong balances).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

from coincurve import PrivateKey
from msgspec import structs

from ledger import accounts
from ledger.accounts import AccountName
from ledger.answers import JournalPosting, Leg, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import OPERATOR_ID, RESERVE_ID, member_account
from proofs.kinds import BASE_UNITS_PER_AU, ON_REDEMPTION, Kind, Terms
from proofs.words import ZERO_WORD
from settlement.sealing.chains import Tip
from settlement.sealing.lanes import HOSTED_KINDS, Keystore, LaneId
from settlement.sealing.leaves import (
    UnsealedLeaf,
    journal_head,
    needs,
    nonces_of,
    registered_accounts,
    unsealed,
)
from settlement.sealing.seal import Opening, Rules, Sealed, genesis, seal

CHAIN_ID = 31337
HUB = bytes(range(20))
FOUNDED_AT = 1_800_000_000
MERCHANTS = (1, 2, 3)
MEMBERS = ("ann", "bo", "cy")
RATES = {1: (1, 1), 2: (2, 7), 3: (100, 3)}
"""AU per point of each issuer, as a fraction: whole, awkward below one, awkward above."""


def digest(*parts: object) -> bytes:
    """32 made-up bytes that are always the same."""
    return sha256(repr(parts).encode()).digest()


@cache
def keystore() -> Keystore:
    keys = {}
    for merchant in (*MERCHANTS, OPERATOR_ID):
        for key_id, kinds in HOSTED_KINDS.items():
            keys[LaneId(merchant, key_id)] = PrivateKey(digest("lane", merchant, key_id)), kinds
    return Keystore(keys)


@cache
def rules() -> Rules:
    terms = {
        issuer: Terms(issuer, issuer, 0, num * BASE_UNITS_PER_AU, den, ON_REDEMPTION, 1, 0)
        for issuer, (num, den) in RATES.items()
    }
    return Rules(chain_id=CHAIN_ID, hub=HUB, roster=keystore().roster, terms=terms, config_hash=digest("config"))


def registered() -> list[bytes]:
    return registered_accounts(rules().roster, issuers=MERCHANTS, parties=(*MERCHANTS, OPERATOR_ID, RESERVE_ID))


def secret_of(member: str) -> bytes:
    return digest("secret", member)


def start() -> tuple[Sealed, Opening]:
    """Batch 0 and the opening of batch 1."""
    sealed = genesis(
        chain_id=CHAIN_ID,
        hub=HUB,
        registered=registered(),
        founded_at=FOUNDED_AT,
        config_hash=digest("config"),
        batch_secret=digest("batch secret", 0),
    )
    return sealed, sealed.opening(sealed.finish(digest("manifest", 0)))


@dataclass
class Journal:
    """Writes well-formed journal entries: per leg one posting on each public account, numbers and balances running."""

    entries: list[JournalEntry] = field(default_factory=list)
    last: dict[AccountName, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))

    def balance(self, member: str, issuer: int) -> int:
        return self.last[self._member(member, issuer)][1]

    def note(self) -> None:
        """An entry without leaves, with a posting that nobody publishes."""
        self._write("earn", [], [(accounts.pending(1, 1), 0, 5), (accounts.pendings(1), 0, -5)])

    def points(self, kind: Kind, issuer: int, member: str, points: int, ref: LegRef | None = None) -> LegRef:
        """An entry of a kind that the issuer signs."""
        leg = Leg(
            no=1, kind=kind, signer=issuer, issuer=issuer, member=member, points=points, terms_id=issuer, au=0, ref=ref
        )
        sign = 1 if kind in {Kind.EARN, Kind.ADJUST_UP, Kind.TRANSFER_IN} else -1
        return self._write(kind.name.lower(), [leg], self._issue(1, issuer, member, sign * points))

    def redeem(self, acceptor: int, member: str, parts: Mapping[int, int]) -> LegRef:
        """A redemption at `acceptor` of so many AU per issuer, one leg each."""
        legs, postings = [], []
        for no, (issuer, au) in enumerate(parts.items(), start=1):
            points = points_for(au, issuer)
            paid = 0 if issuer == acceptor else au
            legs.append(
                Leg(
                    no=no,
                    kind=Kind.REDEEM,
                    signer=acceptor,
                    issuer=issuer,
                    member=member,
                    points=points,
                    terms_id=issuer,
                    au=paid,
                )
            )
            postings += self._issue(no, issuer, member, -points) + self._pay(no, issuer, acceptor, paid)
        return self._write("redeem", legs, postings)

    def return_goods(self, ref: LegRef, acceptor: int, member: str, issuer: int, au: int) -> LegRef:
        """The acceptor gives the points of a redemption back."""
        points, paid = points_for(au, issuer), 0 if issuer == acceptor else au
        leg = Leg(
            no=1,
            kind=Kind.REFUND_REDEEM,
            signer=acceptor,
            issuer=issuer,
            member=member,
            points=points,
            terms_id=issuer,
            au=paid,
            ref=ref,
        )
        return self._write(
            "cancel", [leg], self._issue(1, issuer, member, points) + self._pay(1, acceptor, issuer, paid)
        )

    def transfer(self, issuer: int, giver: str, taker: str, points: int) -> LegRef:
        """Points from one member to another, which the issuer signs."""
        out = Leg(
            no=1, kind=Kind.TRANSFER_OUT, signer=issuer, issuer=issuer, member=giver, points=points, terms_id=issuer
        )
        given = LegRef(len(self.entries) + 1, 1)
        taken = structs.replace(out, no=2, kind=Kind.TRANSFER_IN, member=taker, ref=given)
        postings = self._issue(1, issuer, giver, -points) + self._issue(2, issuer, taker, points)
        return self._write("transfer", [out, taken], postings)

    def fee(self, merchant: int, au: int) -> LegRef:
        """One merchant's fees of a cycle."""
        leg = Leg(no=1, kind=Kind.FEE, signer=merchant, issuer=OPERATOR_ID, member=None, points=0, terms_id=0, au=au)
        return self._write("charge_fees", [leg], self._pay(1, merchant, OPERATOR_ID, au))

    def _member(self, member: str, issuer: int) -> AccountName:
        return accounts.member(issuer, MEMBERS.index(member) + 1)

    def _issue(self, leg: int, issuer: int, member: str, change: int) -> list[tuple[AccountName, int, int]]:
        return [(self._member(member, issuer), leg, change), (accounts.outstanding(issuer), leg, -change)]

    @staticmethod
    def _pay(leg: int, debtor: int, creditor: int, au: int) -> list[tuple[AccountName, int, int]]:
        return [(accounts.cash(debtor), leg, -au), (accounts.cash(creditor), leg, au)] if au else []

    def _write(self, verb: str, legs: list[Leg], changes: list[tuple[AccountName, int, int]]) -> LegRef:
        seq, postings = len(self.entries) + 1, []
        for account, leg, amount in changes:
            n, balance = self.last[account]
            self.last[account] = n + 1, balance + amount
            postings.append(JournalPosting(account, n + 1, leg, amount, balance + amount))
        self.entries.append(
            JournalEntry(
                seq=seq,
                verb=verb,
                key=f"till/{seq}",
                at_ms=(FOUNDED_AT + seq) * 1_000,
                legs=tuple(legs),
                postings=tuple(postings),
                canonical=f"entry {seq} {verb}".encode(),
            )
        )
        return LegRef(seq, 1)


def points_for(au: int, issuer: int) -> int:
    """ceil(au · den / num)."""
    num, den = RATES[issuer]
    return -(-au * den // num)


@dataclass
class Operator:
    """Seals a journal batch by batch, remembering what the tables of a real operator hold."""

    opening: Opening = field(default_factory=lambda: start()[1])
    tips: dict[bytes, Tip] = field(default_factory=dict)
    events: dict[LegRef, bytes] = field(default_factory=dict)
    head: bytes = ZERO_WORD

    def leaves(self, entries: list[JournalEntry]) -> list[UnsealedLeaf]:
        wanted = needs(entries)
        return unsealed(
            entries,
            roster=rules().roster,
            secrets={member: secret_of(member) for member in wanted.members},
            references={ref: self.events[ref] for ref in wanted.references},
            nonces=nonces_of(self.opening.rows),
            batch_secret=self.secret(),
        )

    def secret(self) -> bytes:
        return digest("batch secret", self.opening.header.batch_no + 1)

    def try_seal(self, leaves: list[UnsealedLeaf], *, head: bytes, settling: bool = False) -> Sealed:
        """Seal without remembering anything."""
        return seal(
            self.opening,
            leaves,
            rules=rules(),
            signer=keystore(),
            member_tips=self.tips,
            registered=registered(),
            batch_secret=self.secret(),
            journal_head=head,
            opened_at=FOUNDED_AT,
            sealed_at=FOUNDED_AT + 1_000_000 + self.opening.header.batch_no,
            settling=settling,
        )

    def seal(self, entries: list[JournalEntry], *, settling: bool = False) -> Sealed:
        """Seal the next batch and go on from it."""
        leaves, head = self.leaves(entries), journal_head(self.head, entries)
        sealed = self.try_seal(leaves, head=head, settling=settling)
        header = sealed.finish(digest("manifest", sealed.header.batch_no))
        self.opening, self.head = self.opening.after(sealed, header), head
        self.tips.update(sealed.member_tips)
        self.events.update({leaf.source: leaf.event.event_id for leaf in leaves})
        return sealed


def tag(member: str, issuer: int) -> bytes:
    """The public account of a member with an issuer."""
    return member_account(secret_of(member), issuer)
