"""An honest little alliance, sealed and published by the operator's own code, for the attacks to corrupt.

Three merchants, two members and the operator; a genesis, two log batches and two settling batches that use most kinds.
The leaves are made here from actions (`Ledger.act`), with balances kept as the real ledger keeps them; sealing and
publishing are the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from coincurve import PrivateKey

from ledger.answers import LegRef
from proofs.accounts import OPERATOR_ID, RESERVE_ID, member_account, member_ref
from proofs.headers import config_hash
from proofs.keccak import keccak256
from proofs.kinds import ON_REDEMPTION, Kind, Terms, effects
from proofs.messages import BatchHeader, PointsEvent, event_id
from proofs.words import ZERO_WORD
from settlement.publish import Package, Recipient, pack
from settlement.sealing.chains import Tip
from settlement.sealing.lanes import BACK_OFFICE, DELEGATED, HOSTED_KINDS, POS, Keystore, LaneId
from settlement.sealing.leaves import Move, UnsealedLeaf, registered_accounts
from settlement.sealing.seal import Opening, Rules, Sealed, genesis, seal

CHAIN_ID = 31337
HUB = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
FOUNDED_AT = 2_000_000_000
"""In May 2033: chains are brought here from our clock's time, and go forward only, by ten years at most."""
BATCH_SECONDS = 900
MERCHANTS = (1, 2, 3)
UNITS_PER_POINT = {1: 10_000, 2: 8_000, 3: 10_000}
CONFIG_HASH = config_hash(rules_version=1, attester_set_version=1, params_version=1)


def key_of(merchant_id: int, key_id: int) -> PrivateKey:
    return PrivateKey(keccak256(f"attack lane {merchant_id} {key_id}".encode()))


@cache
def keystore() -> Keystore:
    lanes = [LaneId(m, k) for m in (*MERCHANTS, OPERATOR_ID) for k in (POS, BACK_OFFICE, DELEGATED)]
    return Keystore({lane: (key_of(*lane), HOSTED_KINDS[lane.key_id]) for lane in lanes})


class Place(NamedTuple):
    """The chain and hub that all signatures are bound to."""

    chain_id: int = CHAIN_ID
    hub: bytes = HUB


@cache
def rules(place: Place = Place()) -> Rules:  # noqa: B008 - a NamedTuple of constants
    terms = {i: Terms(i, i, 0, UNITS_PER_POINT[i], 1, ON_REDEMPTION, 1, 0) for i in MERCHANTS}
    chain_id, hub = place
    return Rules(chain_id=chain_id, hub=hub, roster=keystore().roster, terms=terms, config_hash=CONFIG_HASH)


@cache
def registered() -> tuple[bytes, ...]:
    parties = (*MERCHANTS, OPERATOR_ID, RESERVE_ID)
    return tuple(registered_accounts(keystore().roster, issuers=MERCHANTS, parties=parties))


def secret_of(member: str) -> bytes:
    return keccak256(f"attack member {member}".encode())


def batch_secret(batch_no: int) -> bytes:
    return keccak256(f"attack batch secret {batch_no}".encode())


def data_key(batch_no: int) -> bytes:
    return keccak256(f"attack data key {batch_no}".encode())


@dataclass
class Ledger:
    """Balances as the real ledger keeps them, and the leaves not sealed yet."""

    standing: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    nonces: dict[tuple[int, int], int] = field(default_factory=dict)
    pending: list[UnsealedLeaf] = field(default_factory=list)
    clock: int = FOUNDED_AT

    def act(
        self,
        kind: Kind,
        signer: int,
        *,
        issuer: int = 0,
        member: str | None = None,
        points: int = 0,
        settle: int = 0,
        ref: bytes = ZERO_WORD,
        campaign: tuple[int, int, int] = (0, 0, 0),
    ) -> bytes:
        """One event with the moves that follow from it; returns its event id."""
        self.clock += 1
        lane = rules().roster.lane_for(signer, kind).id
        nonce = self.nonces[lane] = self.nonces.get(lane, 0) + 1
        payee = bytes(12) + b"\xaa" * 20
        month = 2027 * 12
        event = PointsEvent(
            kind=kind,
            merchant_id=signer,
            key_id=lane.key_id,
            nonce=nonce,
            occurred_at=self.clock,
            issuer_id=issuer,
            member_ref=member_ref(secret_of(member), signer, month)
            if member
            else (payee if kind == Kind.REFERRAL_CASH else ZERO_WORD),
            points=points,
            terms_id=issuer if points else 0,
            settle_amount=settle,
            ref_event_id=ref,
            campaign_id=campaign[0],
            level=campaign[1],
            basis=campaign[2],
            detail_hash=keccak256(f"detail {kind} {signer} {nonce}".encode()),
        )
        due = effects(event, ON_REDEMPTION)
        tag = None if due.member is None or member is None else (member_account(secret_of(member), issuer), due.member)
        moves = [self._move(leg) for leg in (due.issuer, due.debtor, due.creditor, tag)]
        self.pending.append(UnsealedLeaf(LegRef(len(self.pending) + 1, 1), event, *moves))
        return event_id(merchant_id=signer, key_id=lane.key_id, nonce=nonce)

    def held(self, member: str, issuer: int) -> int:
        """Points of one issuer that a member has."""
        return self.standing.get(member_account(secret_of(member), issuer), (0, 0))[1]

    def _move(self, leg: tuple[bytes, int] | None) -> Move | None:
        if leg is None:
            return None
        account, delta = leg
        seq, balance = self.standing.get(account, (0, 0))
        self.standing[account] = (seq + 1, balance + delta)
        return Move(account, seq + 1, delta, balance + delta)


@dataclass(frozen=True)
class Batch:
    """One sealed batch with its finished header and what is published of it."""

    sealed: Sealed
    header: BatchHeader
    package: Package


def history(recipient: Recipient, place: Place = Place()) -> list[Batch]:  # noqa: B008 - a NamedTuple of constants
    """Genesis and four batches: log, settling, log, settling."""
    ledger = Ledger()
    start = genesis(
        chain_id=place.chain_id,
        hub=place.hub,
        registered=registered(),
        founded_at=FOUNDED_AT,
        config_hash=CONFIG_HASH,
        batch_secret=batch_secret(0),
    )
    batches = [_published(start, recipient)]
    opening = start.opening(batches[0].header)
    tips: dict[bytes, Tip] = {}
    for batch_no, script in enumerate((_first, _second, _third, _fourth), start=1):
        script(ledger)
        sealed = seal(
            opening,
            ledger.pending,
            rules=rules(place),
            signer=keystore(),
            member_tips=dict(tips),
            registered=registered(),
            batch_secret=batch_secret(batch_no),
            journal_head=keccak256(f"journal {batch_no}".encode()),
            opened_at=FOUNDED_AT + BATCH_SECONDS * (batch_no - 1),
            sealed_at=FOUNDED_AT + BATCH_SECONDS * batch_no,
            settling=batch_no % 2 == 0,
        )
        ledger.pending = []
        tips |= sealed.member_tips
        batches.append(_published(sealed, recipient))
        opening = Opening.after(opening, sealed, batches[-1].header)
    return batches


def _published(sealed: Sealed, recipient: Recipient) -> Batch:
    package = pack(sealed, data_key=data_key(sealed.header.batch_no), recipients=[recipient])
    return Batch(sealed, sealed.finish(package.data_hash), package)


def _cash(issuer: int, points: int) -> int:
    return UNITS_PER_POINT[issuer] * points


def _first(ledger: Ledger) -> None:
    ledger.act(Kind.EARN, 1, issuer=1, member="x", points=500)
    ledger.act(Kind.EARN, 2, issuer=2, member="y", points=300)
    ledger.act(Kind.REDEEM, 2, issuer=1, member="x", points=200, settle=_cash(1, 200))
    ledger.act(Kind.REDEEM, 3, issuer=2, member="y", points=250, settle=_cash(2, 250))
    ledger.act(Kind.EARN, 1, issuer=1, member="y", points=40)
    ledger.act(Kind.REDEEM, 2, issuer=1, member="y", points=10, settle=_cash(1, 10))
    ledger.act(Kind.EARN, 2, issuer=2, member="x", points=70)


def _second(ledger: Ledger) -> None:
    redeemed = event_id(merchant_id=2, key_id=POS, nonce=2)
    ledger.act(Kind.REFUND_REDEEM, 2, issuer=1, member="x", points=50, settle=_cash(1, 50), ref=redeemed)
    earned = event_id(merchant_id=2, key_id=POS, nonce=1)
    ledger.act(Kind.REFUND_EARN, 2, issuer=2, member="y", points=100, ref=earned)
    ledger.act(Kind.REDEEM, 1, issuer=1, member="x", points=30)
    ledger.act(Kind.FEE, 2, issuer=OPERATOR_ID, settle=120_000)
    ledger.act(Kind.REFERRAL_CASH, 2, ref=earned, campaign=(7, 1, 60_000_000))


def _third(ledger: Ledger) -> None:
    ledger.act(Kind.VOID, 3)
    ledger.act(Kind.EXPIRE, 1, issuer=1, member="y", points=10)
    out = ledger.act(Kind.TRANSFER_OUT, 1, issuer=1, member="x", points=25)
    ledger.act(Kind.TRANSFER_IN, 1, issuer=1, member="y", points=25, ref=out)
    ledger.act(Kind.ADJUST_UP, 2, issuer=2, member="y", points=60)


def _fourth(ledger: Ledger) -> None:
    ledger.act(Kind.EARN, 3, issuer=3, member="x", points=1_000)
    ledger.act(Kind.REDEEM, 1, issuer=3, member="x", points=400, settle=_cash(3, 400))
    ledger.act(Kind.REDEEM, 2, issuer=3, member="x", points=100, settle=_cash(3, 100))
    ledger.act(Kind.ADJUST_DOWN, 2, issuer=2, member="x", points=5)
