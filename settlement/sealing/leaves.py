"""From journal to leaves: each leg of a journal entry becomes the event its merchant will sign and the steps of the
public accounts it touches.

Nothing is computed a second time: a posting's number and running balance are copied from the ledger (seq = n, balance
= balance), so that the private books and the public log can only agree or be refused. What changes is the form: AU
become base units, the issuer's side is shown as points outstanding, members become tags under their own secret. Pure;
called by the orchestration for a range of whole journal entries, and its answer goes to `seal`. Source: docs/protocol
§2.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from ledger.accounts import Family
from ledger.answers import JournalPosting, Leg, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import LANE, OPERATOR_ID, cash_account, member_account, member_ref, points_account
from proofs.headers import journal_link
from proofs.keccak import keccak256
from proofs.kinds import BASE_UNITS_PER_AU, Kind
from proofs.lpb1 import Row
from proofs.messages import PointsEvent
from proofs.words import ZERO_WORD
from settlement.sealing.lanes import LaneId, LaneUnknown, Roster
from settlement.sealing.refusals import Reason, SealRefused

MS_PER_SECOND: Final = 1_000
SECONDS_PER_DAY: Final = 86_400
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

_json = msgspec.json.Encoder()
_points_account = lru_cache(maxsize=4096)(points_account)
_cash_account = lru_cache(maxsize=4096)(cash_account)


class Move(NamedTuple):
    """One step of a public account as the ledger recorded it: the account's 32 bytes, its number, the change and the
    balance after it.
    """

    account: bytes
    seq: int
    delta: int
    balance: int


class UnsealedLeaf(NamedTuple):
    """A leaf before it is signed and chained: where it comes from, the event, and the moves in the four slots."""

    source: LegRef
    event: PointsEvent
    issuer: Move | None
    debtor: Move | None
    creditor: Move | None
    member: Move | None


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be loaded before a range can become leaves: members' secrets, the last leaf of each (issuer, member),
    events that earlier batches hold.
    """

    members: frozenset[str]
    accounts: frozenset[tuple[int, str]]
    references: frozenset[LegRef]


def needs(entries: Iterable[JournalEntry], late: Iterable[tuple[JournalEntry, Leg]] = ()) -> Needs:
    """What making leaves of these entries, and of `late` legs of earlier ones, will ask for."""
    legs = [(LegRef(entry.seq, leg.no), leg) for entry, leg in late]
    legs += [(LegRef(entry.seq, leg.no), leg) for entry in entries for leg in entry.legs]
    inside = {source for source, _ in legs}
    accounts = frozenset((leg.issuer, leg.member) for _, leg in legs if leg.member is not None)
    return Needs(
        members=frozenset(member for _, member in accounts),
        accounts=accounts,
        references=frozenset(leg.ref for _, leg in legs if leg.ref is not None and leg.ref not in inside),
    )


def unsealed(
    entries: Sequence[JournalEntry],
    *,
    roster: Roster,
    secrets: Mapping[str, bytes],
    references: Mapping[LegRef, bytes],
    nonces: Mapping[LaneId, int],
    batch_secret: bytes,
) -> list[UnsealedLeaf]:
    """The leaves of whole journal entries, in journal order, each numbered by its lane.

    `nonces` are the lanes' last ones (see `nonces_of`), `references` the event ids of legs in earlier batches,
    `secrets` 32 bytes for each member. Raises `SealRefused`: UNLEAFED, SLOT_TWICE, SECRET_MISSING, REFERENCE_UNKNOWN,
    LANE_UNKNOWN.
    """
    made, used = (
        LeafMaker(roster=roster, secrets=secrets, references=references, batch_secret=batch_secret),
        dict(nonces),
    )
    leaves = []
    for entry in in_order(entries):
        for leg in entry.legs:
            lane = made.hosted_lane(leg, LegRef(entry.seq, leg.no))
            used[lane] = nonce = used.get(lane, 0) + 1
            leaves.append(made.leaf(entry, leg, lane, nonce))
    return leaves


def in_order(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The entries as they were committed, whatever order they are handed in: a batch has one order, the ledger's."""
    return sorted(entries, key=_number_of)


def _number_of(entry: JournalEntry) -> int:
    return entry.seq


def journal_head(head: bytes, entries: Iterable[JournalEntry]) -> bytes:
    """The journal chain's head after these entries, legs or not; `head` is the one before them, ZERO_WORD at the
    beginning.
    """
    for entry in in_order(entries):
        head = journal_link(head, entry.canonical)
    return head


def nonces_of(rows: Iterable[Row]) -> dict[LaneId, int]:
    """Each lane's last nonce, from the rows of the previous batch."""
    lanes = (row for row in rows if row.account[0] == LANE)
    return {
        LaneId(int.from_bytes(row.account[1:5], "big"), int.from_bytes(row.account[5:9], "big")): row.seq
        for row in lanes
    }


def registered_accounts(roster: Roster, *, issuers: Iterable[int], parties: Iterable[int]) -> list[bytes]:
    """Every account that must have a row, ascending: the roster's lanes, the points of `issuers`, the cash of
    `parties` (reserved ids included).
    """
    accounts = [lane.account for lane in roster]
    accounts += [points_account(issuer) for issuer in issuers]
    accounts += [cash_account(party) for party in parties]
    return sorted(set(accounts))


def void_leaves(
    count: int,
    *,
    after: Sequence[UnsealedLeaf],
    source: LegRef,
    roster: Roster,
    nonces: Mapping[LaneId, int],
    occurred_at: int,
) -> list[UnsealedLeaf]:
    """Leaves that do nothing, signed by the operator: what a settling batch holds when nothing else happened, and what
    a batch is padded with. They come `after` these leaves of a batch whose lanes began at `nonces`; `source` is (last
    journal seq, 0).
    """
    lane = roster.lane_for(OPERATOR_ID, Kind.VOID)
    used = (leaf.event.nonce for leaf in after if (leaf.event.merchant_id, leaf.event.key_id) == lane.id)
    last = max(used, default=nonces.get(lane.id, 0))
    events = (_void(lane.id, nonce, occurred_at) for nonce in range(last + 1, last + 1 + count))
    return [UnsealedLeaf(source, event, None, None, None, None) for event in events]


def _void(lane_id: LaneId, nonce: int, occurred_at: int) -> PointsEvent:
    return PointsEvent(
        kind=Kind.VOID,
        merchant_id=lane_id.merchant_id,
        key_id=lane_id.key_id,
        nonce=nonce,
        occurred_at=occurred_at,
        issuer_id=0,
        member_ref=ZERO_WORD,
        points=0,
        terms_id=0,
        settle_amount=0,
        ref_event_id=ZERO_WORD,
        campaign_id=0,
        level=0,
        basis=0,
        detail_hash=ZERO_WORD,
    )


def month_epoch(at_ms: int) -> int:
    """The epoch of memberRef: year · 12 + month − 1 of the instant, UTC."""
    return _month_of_day(at_ms // (MS_PER_SECOND * SECONDS_PER_DAY))


@lru_cache(maxsize=1024)
def _month_of_day(day: int) -> int:
    at = date.fromordinal(_EPOCH_ORDINAL + day)
    return at.year * 12 + at.month - 1


class LeafMaker:
    """Makes leaves of legs in journal order; remembers the event ids it gave out and the tags it derived."""

    def __init__(
        self,
        *,
        roster: Roster,
        secrets: Mapping[str, bytes],
        references: Mapping[LegRef, bytes],
        batch_secret: bytes,
    ) -> None:
        self._roster = roster
        self._secrets = secrets
        self._references = dict(references)
        self._batch_secret = batch_secret
        self._lanes: dict[tuple[int, int], LaneId] = {}
        self._accounts: dict[tuple[int, str], bytes] = {}
        self._names: dict[tuple[str, int, int], bytes] = {}
        self._entry: JournalEntry | None = None
        self._slots: dict[int, dict[str, JournalPosting]] = {}
        self._digest = b""

    def leaf(self, entry: JournalEntry, leg: Leg, lane: LaneId, nonce: int) -> UnsealedLeaf:
        """The leaf of one leg, as `nonce` of `lane`, with the numbers and balances that the ledger posted."""
        source, slots = LegRef(entry.seq, leg.no), self._of_entry(entry)[leg.no]
        event = self._event(entry, leg, lane, nonce, settles="debtor" in slots or "creditor" in slots)
        self._references[source] = event.event_id
        return UnsealedLeaf(
            source,
            event,
            _issuer_move(slots.get("issuer")),
            _cash_move(slots.get("debtor")),
            _cash_move(slots.get("creditor")),
            self._member_move(leg, slots.get("member"), self._secret(leg.member, source)),
        )

    def public_moves(self, entry: JournalEntry, leg: Leg) -> list[Move]:
        """What the leg moves on accounts that have a row."""
        slots = self._of_entry(entry)[leg.no]
        moves = (_issuer_move(slots.get("issuer")), _cash_move(slots.get("debtor")), _cash_move(slots.get("creditor")))
        return [move for move in moves if move is not None]

    def knows(self, ref: LegRef) -> bool:
        """Whether the event of this leg has an id yet."""
        return ref in self._references

    def hosted_lane(self, leg: Leg, source: LegRef) -> LaneId:
        """The lane whose key is kept here for this leg's signer and kind. Raises `SealRefused`."""
        asked = leg.signer, leg.kind
        lane_id = self._lanes.get(asked)
        if lane_id is None:
            self._lanes[asked] = lane_id = self._lane_of(leg, source)
        return lane_id

    def _of_entry(self, entry: JournalEntry) -> dict[int, dict[str, JournalPosting]]:
        """The postings of the entry at hand; its legs come one after the other."""
        if self._entry is not entry:
            self._entry, self._slots, self._digest = entry, _moves_by_leg(entry), keccak256(entry.canonical)
        return self._slots

    def _event(self, entry: JournalEntry, leg: Leg, lane: LaneId, nonce: int, *, settles: bool) -> PointsEvent:
        source = LegRef(entry.seq, leg.no)
        secret = self._secret(leg.member, source)
        return PointsEvent(
            kind=leg.kind,
            merchant_id=lane.merchant_id,
            key_id=lane.key_id,
            nonce=nonce,
            occurred_at=entry.at_ms // MS_PER_SECOND,
            issuer_id=leg.issuer,
            member_ref=self._member_ref(leg, entry.at_ms, secret),
            points=leg.points,
            terms_id=leg.terms_id,
            settle_amount=leg.au * BASE_UNITS_PER_AU if settles else 0,
            ref_event_id=self._reference(leg, source),
            campaign_id=leg.campaign_id,
            level=leg.level,
            basis=leg.basis * BASE_UNITS_PER_AU,
            detail_hash=keccak256(detail_salt(source, secret) + detail_text(entry, leg.no, self._digest)),
        )

    def _lane_of(self, leg: Leg, source: LegRef) -> LaneId:
        try:
            return self._roster.lane_for(leg.signer, Kind(leg.kind)).id
        except LaneUnknown as error:
            expected, actual = f"a lane for {error.kind.name}", f"none at merchant {leg.signer}"
            raise SealRefused(Reason.LANE_UNKNOWN, source, expected=expected, actual=actual) from error

    def _secret(self, member: str | None, source: LegRef) -> bytes:
        """What keys this leg's tags and salts: the member's secret, or the batch's where there is no member."""
        if member is None:
            return self._batch_secret
        secret = self._secrets.get(member)
        if secret is None:
            raise SealRefused(Reason.SECRET_MISSING, source, expected="the member's secret", actual=None)
        return secret

    def _reference(self, leg: Leg, source: LegRef) -> bytes:
        if leg.ref is None:
            return ZERO_WORD
        event = self._references.get(leg.ref)
        if event is None:
            raise SealRefused(Reason.REFERENCE_UNKNOWN, source, expected=f"a leaf of {leg.ref}", actual=None)
        return event

    def _member_ref(self, leg: Leg, at_ms: int, secret: bytes) -> bytes:
        if leg.member is None:
            return ZERO_WORD
        name = leg.member, leg.signer, month_epoch(at_ms)
        made = self._names.get(name)
        if made is None:
            self._names[name] = made = member_ref(secret, leg.signer, name[2])
        return made

    def _member_move(self, leg: Leg, posting: JournalPosting | None, secret: bytes) -> Move | None:
        if posting is None or leg.member is None:
            return None
        owner = leg.issuer, leg.member
        account = self._accounts.get(owner)
        if account is None:
            self._accounts[owner] = account = member_account(secret, leg.issuer)
        return Move(account, posting.n, posting.amount, posting.balance)


def detail_text(entry: JournalEntry, leg_no: int, digest: bytes) -> bytes:
    """The private detail that an event's detailHash commits to, as RFC 8785 JSON; `digest` is
    keccak256(entry.canonical).

    All values are ASCII words and small integers, for which names in order and no blanks are the canonical form (a test
    compares with a library).
    """
    return _json.encode(
        {
            "entry": digest.hex(),
            "key": entry.key,
            "part": leg_no,
            "parts": len(entry.legs),
            "seq": entry.seq,
            "verb": entry.verb,
        }
    )


def detail_salt(source: LegRef, secret: bytes) -> bytes:
    """The salt of a leg's detail, under the member's secret: erasing that secret erases the salt with it."""
    return hmac.digest(secret, b"detail" + source.seq.to_bytes(8, "big") + source.no.to_bytes(4, "big"), sha256)


_SLOT_OF: Final[Mapping[int, str]] = {Family.OUTSTANDING: "issuer", Family.MEMBER: "member"}


def _moves_by_leg(entry: JournalEntry) -> dict[int, dict[str, JournalPosting]]:
    """The postings on public accounts, by leg number and slot."""
    legs: dict[int, dict[str, JournalPosting]] = {leg.no: {} for leg in entry.legs}
    for posting in entry.postings:
        family = posting.account.family
        slot = _SLOT_OF.get(family)
        if family == Family.CASH:
            slot = "debtor" if posting.amount < 0 else "creditor"
        if slot is None:
            continue
        source = LegRef(entry.seq, posting.leg)
        slots = legs.get(posting.leg)
        if slots is None:
            raise SealRefused(
                Reason.UNLEAFED, source, expected="a leg that shows it", actual=f"a posting on {posting.account}"
            )
        if slot in slots:
            raise SealRefused(
                Reason.SLOT_TWICE, source, expected=f"one {slot}", actual=f"{slots[slot].account} and {posting.account}"
            )
        slots[slot] = posting
    return legs


def _issuer_move(posting: JournalPosting | None) -> Move | None:
    """Outstanding is stored as what the issuer owes (negative) and shown as points in members' hands."""
    if posting is None:
        return None
    return Move(_points_account(posting.account.party), posting.n, -posting.amount, -posting.balance)


def _cash_move(posting: JournalPosting | None) -> Move | None:
    if posting is None:
        return None
    account = _cash_account(posting.account.party)
    return Move(account, posting.n, posting.amount * BASE_UNITS_PER_AU, posting.balance * BASE_UNITS_PER_AU)
