"""The orchestration's work with dictionaries for tables: any journal in batches, published, for the auditor to judge.

Tests of sealing use it where a database would say nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import psycopg
from coincurve import PrivateKey

from auditor.registry import Key, Registry
from ledger import journal
from ledger.commands import PublishTerms
from proofs.accounts import OPERATOR_ID, RESERVE_ID, member_account
from proofs.kinds import BASE_UNITS_PER_AU, Terms
from proofs.messages import BatchHeader
from proofs.tariff import Tariff
from proofs.words import ZERO_WORD
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Package, Recipient, pack, publish
from settlement.sealing.chains import Tip
from settlement.sealing.lanes import HOSTED_KINDS, Keystore, LaneId
from settlement.sealing.leaves import journal_head, needs, nonces_of, registered_accounts, unsealed
from settlement.sealing.seal import Opening, Rules, Sealed, genesis, seal
from tests.attacks.alliance import CHAIN_ID, HUB
from tests.attacks.forge import KID, PRIVATE, Forged, World
from tests.settlement.alliance import FOUNDED_AT, digest, secret_of

LEAVES_PER_BATCH = 60


def key_of(merchant_id: int, key_id: int) -> PrivateKey:
    """A lane's key."""
    return PrivateKey(digest(merchant_id, key_id))


def keys(merchants: Iterable[int]) -> Keystore:
    """All hosted lanes of these merchants and the operator."""
    lanes = ((merchant, *lane) for merchant in (*merchants, OPERATOR_ID) for lane in HOSTED_KINDS.items())
    return Keystore({LaneId(merchant, key_id): (key_of(merchant, key_id), kinds) for merchant, key_id, kinds in lanes})


class Sealer:
    """The batches of one alliance, founded with these terms; `others` are merchants that issue nothing."""

    def __init__(
        self, published: Iterable[PublishTerms], others: Iterable[int] = (), tariff: Tariff | None = None
    ) -> None:
        self.tariff = tariff
        terms = {
            each.terms_id: Terms(
                each.terms_id, each.issuer_id, 0, each.au_num * BASE_UNITS_PER_AU, each.au_den, each.mode, 1, 0
            )
            for each in published
        }
        issuers = sorted({each.issuer_id for each in terms.values()})
        merchants = sorted({*issuers, *others} - {OPERATOR_ID, RESERVE_ID})
        self.keystore = keys(merchants)
        self.rules = Rules(
            chain_id=CHAIN_ID, hub=HUB, roster=self.keystore.roster, terms=terms, config_hash=digest("config")
        )
        self.registered = registered_accounts(
            self.keystore.roster, issuers=issuers, parties=[*merchants, OPERATOR_ID, RESERVE_ID]
        )
        start = genesis(
            chain_id=CHAIN_ID,
            hub=HUB,
            registered=self.registered,
            founded_at=FOUNDED_AT,
            config_hash=digest("config"),
            batch_secret=digest("secret", 0),
        )
        self.published: list[tuple[Sealed, Package, BatchHeader]] = []
        self.opening: Opening = start.opening(self.package(start))
        self.tips: dict[bytes, Tip] = {}
        self.events: dict[object, bytes] = {}
        self.head = ZERO_WORD

    def package(self, sealed: Sealed) -> BatchHeader:
        """The finished header; what is to be published is kept."""
        recipient = Recipient(KID, PRIVATE.public_key().public_bytes_raw())
        key = digest("data key", sealed.header.batch_no)
        package = pack(sealed, data_key=key, recipients=[recipient], tariff=self.tariff)
        header = sealed.finish(package.data_hash)
        self.published.append((sealed, package, header))
        return header

    def world(self, folder: Path) -> World:
        """Everything as an auditor finds it: the published folder, the registry, the headers on a chain."""
        registry = Registry(terms=dict(self.rules.terms))
        for lane in self.keystore.roster:
            registry.add_merchant(lane.merchant_id)
            registry.keys[lane.id] = Key(lane.address, 1, 0, lane.kind_mask)
        for _, package, header in self.published:
            publish(package, header, [FolderMirror(folder)])
        batches = [
            Forged(header, list(sealed.rows), list(sealed.nets), list(sealed.records), sealed.batch_secret)
            for sealed, _, header in self.published
        ]
        return World(folder, batches, registry)

    def seal(self, entries: Sequence[journal.JournalEntry], *, settling: bool) -> Sealed:
        """The next batch: these entries."""
        wanted, secret = needs(entries), digest("secret", self.opening.header.batch_no + 1)
        leaves = unsealed(
            entries,
            roster=self.rules.roster,
            secrets={member: secret_of(member) for member in wanted.members},
            references={ref: self.events[ref] for ref in wanted.references},
            nonces=nonces_of(self.opening.rows),
            batch_secret=secret,
        )
        self.head = journal_head(self.head, entries)
        sealed = seal(
            self.opening,
            leaves,
            rules=self.rules,
            signer=self.keystore,
            member_tips={
                account: self.tips[account]
                for issuer, member in wanted.accounts
                if (account := member_account(secret_of(member), issuer)) in self.tips
            },
            registered=self.registered,
            batch_secret=secret,
            journal_head=self.head,
            opened_at=FOUNDED_AT,
            sealed_at=max(self.opening.header.sealed_at, entries[-1].at_ms // 1_000),
            settling=settling,
        )
        self.opening = self.opening.after(sealed, self.package(sealed))
        self.tips |= sealed.member_tips
        self.events |= {leaf.source: leaf.event.event_id for leaf in leaves}
        return sealed


def read_all(connection: psycopg.Connection[object]) -> list[journal.JournalEntry]:
    """The whole journal, page by page."""
    entries: list[journal.JournalEntry] = []
    while page := journal.read(connection, len(entries), 97):
        entries += page
    return entries


def seal_all(
    entries: Sequence[journal.JournalEntry], published: Iterable[PublishTerms], tariff: Tariff | None = None
) -> tuple[Sealer, list[Sealed]]:
    """All entries in batches of about LEAVES_PER_BATCH leaves, the last one settling, which takes in whatever entries
    without a leg the journal ends with.
    """
    signers = {leg.signer for entry in entries for leg in entry.legs}
    sealer, waiting, made = Sealer(published, signers, tariff), [], []
    to_come = sum(len(entry.legs) for entry in entries)
    for entry in entries:
        waiting.append(entry)
        to_come -= len(entry.legs)
        last = entry is entries[-1]
        if last or (to_come and sum(len(each.legs) for each in waiting) >= LEAVES_PER_BATCH):
            made.append(sealer.seal(waiting, settling=last))
            waiting = []
    return sealer, made
