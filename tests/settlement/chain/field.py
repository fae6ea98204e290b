"""A small alliance on the real ledger, the real contracts and a real node: what tests of settlement play on.

Everything that is random in production comes from a folder here, so that a second process (`driver`) can take the same
alliance over after the first was killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import queries
from ledger.answers import Receipt
from ledger.commands import (
    ChargeFees,
    Command,
    Earn,
    EarnRate,
    Enrol,
    ForDays,
    OpenMerchant,
    PublishTerms,
    Redeem,
    Refund,
)
from ledger.store import open_store
from proofs.messages import domain_separator, signed_digest
from proofs.signature import address_of, sign
from settlement.alliance import AUDITOR, MERCHANT_WATCHER, PARAMS, UNIT, Alliance, Attester, Params
from settlement.attestations import take_attestations
from settlement.batches import Settlement
from settlement.chain.client import Chain
from settlement.chain.outbox import Checkpoint, LocalSigner, Outbox, TransactionSigner, unwatched
from settlement.deploy import found
from settlement.founding import Founding, Publication
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Recipient
from settlement.sealing.lanes import Keystore, create_keystore
from settlement.tiers.founding import TierFounding
from settlement.vault import Vault
from tests.settlement.chain.tiny import SENDER

OPERATOR = LocalSigner(SENDER.key)
MERCHANTS = (1, 2, 3)
MEMBERS = ("ann", "bo", "cy")
RATES = {1: (1, 1), 2: (2, 7), 3: (100, 3)}
LEASE_S = 2
"""Short, because the tests kill leaders and take over from them."""
AT_MS = 1_750_000_000_000
ATTESTERS = {
    bytes([9]) * 32: (AUDITOR, 2),
    bytes([8]) * 32: (MERCHANT_WATCHER, 1),
    bytes([7]) * 32: (MERCHANT_WATCHER, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Where everything is."""

    dsn: str
    url: str
    folder: Path
    collateral: int = 10_000 * UNIT
    answer_s_max: float = 20.0
    confirmations: int | None = None
    second_url: str | None = None
    signer: TransactionSigner = OPERATOR
    params: Params = PARAMS
    merchants: Sequence[int] = MERCHANTS
    tiers: TierFounding | None = None

    @property
    def mirrors(self) -> list[Path]:
        return [self.folder / "mirror-a", self.folder / "mirror-b"]

    @contextmanager
    def settlement(self, checkpoint: Checkpoint = unwatched) -> Iterator[Settlement]:
        """The settlement of this alliance, founded on first use."""
        lanes = create_keystore(self.folder / "lanes.json", self.merchants)
        with psycopg.connect(self.dsn, autocommit=True) as conn, open_store(self.dsn) as store:
            chain = Chain(self.url, answer_s_max=self.answer_s_max, confirmations=self.confirmations)
            outbox = Outbox(conn, chain, self.signer, lease_s=LEASE_S, checkpoint=checkpoint)
            publication = self.publication()
            made = founding(conn, lanes, self.collateral, self.params, tiers=self.tiers, merchants=self.merchants)
            alliance = found(conn, chain, outbox, made, publication)
            if self.second_url is not None:
                alliance = replace(alliance, second=Chain(self.second_url, answer_s_max=self.answer_s_max))
            yield Settlement(
                conn=conn,
                alliance=alliance,
                outbox=outbox,
                publication=publication,
                lanes=lanes,
                ledger=store,
                checkpoint=checkpoint,
            )

    def publication(self) -> Publication:
        auditor = X25519PrivateKey.from_private_bytes(b"\x05" * 32).public_key()
        key = auditor.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return Publication(
            vault=Vault(b"\x06" * 32),
            recipients=[Recipient("auditor", key)],
            mirrors=[FolderMirror(each) for each in self.mirrors],
        )

    def post(self, commands: Sequence[Command]) -> None:
        """Through the real store; every command must be done."""
        with open_store(self.dsn) as store:
            answers = store.post(commands)
        refused = [answer.outcome for answer in answers if not isinstance(answer.outcome, Receipt)]
        assert refused == []


def founding(
    conn: psycopg.Connection[tuple[object, ...]],
    lanes: Keystore,
    collateral: int = 10_000 * UNIT,
    params: Params = PARAMS,
    *,
    tiers: TierFounding | None = None,
    merchants: Sequence[int] = MERCHANTS,
) -> Founding:
    return Founding(
        merchants=merchants,
        roster=lanes.roster,
        terms=queries.terms(conn),
        attesters=[Attester(address(key), role, weight) for key, (role, weight) in ATTESTERS.items()],
        collateral=dict.fromkeys(merchants, collateral) if collateral else {},
        params=params,
        tiers=tiers,
    )


def address(key: bytes) -> bytes:
    return address_of(PrivateKey(key).public_key)


def registry_commands(numbers: Sequence[int] = MERCHANTS) -> list[Command]:
    """Merchants, the first three with awkward rates, and three members."""
    merchants = [
        OpenMerchant(
            key=f"m{number}",
            at_ms=AT_MS,
            merchant_id=number,
            code=f"shop{number}",
            name=f"Shop {number}",
            earn=EarnRate(points=1, per_minor=10),
            hold_ms=0,
            validity=ForDays(365),
            redemption_fee_bps=150,
            issuance_fee_bps=50,
            refund_policy="debt",
        )
        for number in numbers
    ]
    terms = [
        PublishTerms(key=f"t{number}", at_ms=AT_MS, terms_id=number, issuer_id=number, au_num=num, au_den=den)
        for number, (num, den) in ((number, RATES.get(number, (1, 1))) for number in numbers)
    ]
    members = [Enrol(key=f"e{member}", at_ms=AT_MS, member=member) for member in MEMBERS]
    return [*merchants, *terms, *members]


def day(number: int) -> list[Command]:
    """A day of trade: everybody buys everywhere, pays a little with points elsewhere, and one purchase is returned."""
    at_ms = AT_MS + number * 86_400_000
    commands: list[Command] = []
    for merchant in MERCHANTS:
        for index, member in enumerate(MEMBERS):
            name = f"d{number}-{merchant}-{member}"
            amount = 10_000 + 777 * (merchant + index + number)
            commands.append(
                Earn(key=name, at_ms=at_ms, merchant_id=merchant, member=member, order=name, amount_minor=amount)
            )
    for index, member in enumerate(MEMBERS):
        name = f"r{number}-{member}"
        acceptor = MERCHANTS[(index + number) % len(MERCHANTS)]
        commands.append(
            Redeem(key=name, at_ms=at_ms, merchant_id=acceptor, member=member, redemption=name, au=333, at_most=True)
        )
    order = f"d{number}-2-bo"
    commands.append(
        Refund(key=f"b{number}", at_ms=at_ms, merchant_id=2, member="bo", refund=order, order=order, amount_minor=5_000)
    )
    return commands


def cycle(number: int) -> Command:
    return ChargeFees(key=f"c{number}", at_ms=AT_MS + number * 86_400_000, cycle=f"c{number}")


def attest(s: Settlement, folder: Path, hashes: Sequence[tuple[int, bytes]], keys: Sequence[bytes]) -> int:
    """Have attesters sign these headers unseen (their own program is tested elsewhere); how many were new."""
    return sum(take_attestations(s, write_attestations(s.alliance, folder, hashes, key)) for key in keys)


def write_attestations(alliance: Alliance, folder: Path, hashes: Sequence[tuple[int, bytes]], key: bytes) -> Path:
    separator = domain_separator(chain_id=alliance.anchor.chain_id, hub=alliance.anchor.hub)
    entries = []
    for batch_no, header_hash in hashes:
        r, vs = sign(PrivateKey(key), signed_digest(separator, header_hash))
        fields = {"headerHash": header_hash, "r": r, "vs": vs}
        entries.append({"batchNo": batch_no, **{name: "0x" + value.hex() for name, value in fields.items()}})
    path = folder / f"attestations-{address(key).hex()[:8]}.json"
    path.write_text(json.dumps({"attester": "0x" + address(key).hex(), "attestations": entries, "findings": []}))
    return path
