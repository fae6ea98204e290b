"""The real ledger, on a real database, sealed: what comes out of the journal becomes batches, and both books agree."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import psycopg
import pytest
from coincurve import PrivateKey

from auditor.registry import Key, Registry
from ledger import journal, queries
from ledger.answers import Receipt
from ledger.commands import Earn, Net, OpenMerchant, Redeem, Refund, SettleNets
from ledger.store import open_store
from proofs.accounts import CASH, OPERATOR_ID, POINTS, RESERVE_ID, member_account
from proofs.kinds import ON_REDEMPTION, Kind, Terms
from proofs.messages import BatchHeader, PointsEvent
from proofs.words import ZERO_WORD
from settlement.lanes import HOSTED_KINDS, Keystore, LaneId
from settlement.leaves import journal_head, needs, nonces_of, registered_accounts, unsealed
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Package, Recipient, pack, publish
from settlement.refusals import Reason, SealRefused
from settlement.seal import Opening, Rules, Sealed, Tip, genesis, seal
from tests.attacks.alliance import CHAIN_ID, HUB
from tests.attacks.forge import KID, PRIVATE, Forged, World, found
from tests.settlement.alliance import FOUNDED_AT, digest, secret_of
from tests.settlement.ledger_traffic import BUCKET, LEVEL_BPS, MEMBERS, MODES, RATES, START_MS, founding, traffic

LEAVES_PER_BATCH = 60


def keys() -> Keystore:
    lanes = ((merchant, *lane) for merchant in (*RATES, OPERATOR_ID) for lane in HOSTED_KINDS.items())
    return Keystore(
        {LaneId(merchant, key_id): (PrivateKey(digest(merchant, key_id)), kinds) for merchant, key_id, kinds in lanes}
    )


class Sealer:
    """What the orchestration does, with dictionaries for tables."""

    def __init__(self) -> None:
        self.keystore = keys()
        terms = {
            issuer: Terms(issuer, issuer, 0, num * 10_000, den, MODES.get(issuer, ON_REDEMPTION), 1, 0)
            for issuer, (num, den) in RATES.items()
        }
        self.rules = Rules(
            chain_id=CHAIN_ID, hub=HUB, roster=self.keystore.roster, terms=terms, config_hash=digest("config")
        )
        self.registered = registered_accounts(
            self.keystore.roster, issuers=RATES, parties=[*RATES, OPERATOR_ID, RESERVE_ID]
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
        package = pack(sealed, data_key=digest("data key", sealed.header.batch_no), recipients=[recipient])
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

    def seal(self, entries: list[journal.JournalEntry], *, settling: bool) -> Sealed:
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
    entries: list[journal.JournalEntry] = []
    while page := journal.read(connection, len(entries), 97):
        entries += page
    return entries


def seal_all(entries: list[journal.JournalEntry]) -> tuple[Sealer, list[Sealed]]:
    """All entries in batches of about LEAVES_PER_BATCH leaves, the last one settling."""
    sealer, waiting, made = Sealer(), [], []
    for entry in entries:
        waiting.append(entry)
        last = entry is entries[-1]
        if last or sum(len(each.legs) for each in waiting) >= LEAVES_PER_BATCH:
            made.append(sealer.seal(waiting, settling=last))
            waiting = []
    return sealer, made


def assert_rewards_follow_their_rule(events: list[PointsEvent]) -> None:
    """From the leaves and the registered rule alone, in base units: what each reward must be, once a purchase and
    level.
    """
    earned = {event.event_id: event for event in events if event.kind == Kind.EARN}
    rewards = [event for event in events if event.kind == Kind.REFERRAL]
    assert {event.level for event in rewards} == {1, 2}
    assert len({(event.ref_event_id, event.level) for event in rewards}) == len(rewards)
    for event in rewards:
        num, den = RATES[event.issuer_id]
        value = event.basis * LEVEL_BPS[event.level - 1] // 10_000
        assert event.basis % (BUCKET * 10_000) == 0
        assert event.points == value * den // (num * 10_000)
        assert earned[event.ref_event_id].issuer_id == event.issuer_id == event.campaign_id


@pytest.mark.parametrize("seed", [1, 2])
def test_both_books_agree_and_the_auditor_with_them(database: str, seed: int, tmp_path: Path) -> None:
    with open_store(database) as store:
        answers = store.post(founding())
        assert all(isinstance(answer.outcome, Receipt) for answer in answers)
        answers = store.post(list(traffic(random.Random(seed))))
        taken = [answer.outcome for answer in answers if isinstance(answer.outcome, Receipt)]
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
        assert entries[-1].seq == journal.head_seq(connection)
        sealer, batches = seal_all(entries)
        assert sum(batch.header.leaf_count for batch in batches) == sum(len(receipt.legs) for receipt in taken)
        positions, issued = queries.positions(connection), queries.outstanding(connection)
    kinds = {record.event.kind for batch in batches for record in batch.records}
    assert kinds == {
        Kind.EARN,
        Kind.REDEEM,
        Kind.REFUND_EARN,
        Kind.REFUND_REDEEM,
        Kind.REFERRAL,
        Kind.EXPIRE,
        Kind.EXCHANGE_OUT,
        Kind.EXCHANGE_IN,
        Kind.ADJUST_UP,
        Kind.ADJUST_DOWN,
        Kind.FEE,
        Kind.TRANSFER_OUT,
        Kind.TRANSFER_IN,
    }
    assert_rewards_follow_their_rule([record.event for batch in batches for record in batch.records])
    closing = batches[-1]
    for row in closing.rows:
        party = int.from_bytes(row.account[1:5], "big")
        if row.account[0] == CASH and party in positions:
            assert row.balance == positions[party].cash * 10_000
        if row.account[0] == POINTS:
            assert row.balance == issued[party].outstanding
    assert closing.header.total_points == sum(points.outstanding for points in issued.values())
    assert dict(closing.nets) == {party: each.cash * 10_000 for party, each in positions.items() if each.cash}
    assert sum(amount for _, amount in closing.nets) == 0
    assert len(closing.nets) >= 4
    outcome = sealer.world(tmp_path).audit()
    assert (found(outcome), outcome.incomplete, len(outcome.batches)) == (set(), [], len(sealer.published))
    debts = -sum(tip.balance for tip in sealer.tips.values() if tip.balance < 0)
    assert (outcome.points, outcome.debts) == (closing.header.total_points, debts)
    assert debts, "no debt came about: the traffic is too tame"


def test_a_debt_of_points_paid_on_issuance_cannot_be_sealed_yet(database: str) -> None:
    """As docs/ledger.md says: no money moves for what becomes a debt, and the leaf's rule asks for all of it."""
    member, at_ms = MEMBERS[0], START_MS
    founded = [
        msgspec.structs.replace(command, refund_policy="debt") if isinstance(command, OpenMerchant) else command
        for command in founding()
    ]
    with open_store(database) as store:
        store.post(founded)
        answers = store.post(
            [
                Earn(key="e", at_ms=at_ms, merchant_id=5, member=member, order="o", amount_minor=100),
                Redeem(key="r", at_ms=at_ms, merchant_id=1, member=member, redemption="r", au=100),
                Refund(key="f", at_ms=at_ms, merchant_id=5, member=member, refund="f", order="o", amount_minor=100),
            ]
        )
        assert all(isinstance(answer.outcome, Receipt) for answer in answers)
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
    seal_all(entries[:-1])
    with pytest.raises(SealRefused) as refused:
        seal_all(entries)
    assert (refused.value.reason, refused.value.actual) == (Reason.RULE, "rate")


def test_what_the_chain_moved_leaves_no_leaf(database: str) -> None:
    with open_store(database) as store:
        store.post(
            [*founding(), Earn(key="e", at_ms=START_MS, merchant_id=1, member=MEMBERS[0], order="o", amount_minor=500)]
        )
        store.post([Redeem(key="r", at_ms=START_MS, merchant_id=2, member=MEMBERS[0], redemption="r", au=70)])
        store.post([SettleNets(key="s", at_ms=START_MS, batch_no=1, nets=(Net(1, -70), Net(2, 70)))])
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
    assert entries[-1].verb == "settle_nets"
    assert entries[-1].postings
    assert entries[-1].legs == ()
    _, [batch] = seal_all(entries)
    assert batch.nets == [(1, -700_000), (2, 700_000)]
