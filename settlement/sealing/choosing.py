"""Which legs a batch holds, and in what order: those that can be sealed now; the others are parked for a later one.

A leg waits while its merchant has not signed it, or has signed something with a lower number that waits; while the
registry lets nobody sign it (`ends`), an account of its merchants has no row yet, or whoever holds its lane's key does
not sign (`barred`); while a leg it refers to waits; and while an earlier leg of the same member account waits, so that
a member's postings are always sealed in the order in which they were made, with the numbers and balances of the ledger.
What gives points away waits with what takes them in, and a merchant's fees with all that they may have been charged on.
Nothing else waits: accounts of merchants are numbered by the batch, and differ from the ledger's by exactly the legs
that are parked. Late legs come first. Pure; called by the orchestration. Source: docs/protocol §2.7, §3.7;
docs/decisions/0183, 0184, 0223.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ledger.answers import Leg, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import OPERATOR_ID, lane_account, points_account
from proofs.kinds import Kind
from proofs.lpb1 import Row
from settlement.sealing.ends import NO_ENDS, Ends, Use
from settlement.sealing.lanes import LaneId, Signature
from settlement.sealing.leaves import LeafMaker, Move, UnsealedLeaf, in_order, nonces_of
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.self_signed import Inbox, SelfLane, Signed

Late = tuple[JournalEntry, Leg]
"""A leg that an earlier batch left out."""
_TAKES_IN: Final[Mapping[int, Kind]] = {
    Kind.EXCHANGE_OUT: Kind.EXCHANGE_IN,
    Kind.TRANSFER_OUT: Kind.TRANSFER_IN,
}


class Chosen(NamedTuple):
    """The leaves in order, the signatures that merchants gave by hash of the event, and what stays behind."""

    leaves: list[UnsealedLeaf]
    given: dict[bytes, Signature]
    parked: list[LegRef]


class Barred(NamedTuple):
    """What hosted lanes' signers do not sign in this batch: lanes of which nothing is heard, and single legs."""

    lanes: frozenset[LaneId] = frozenset()
    legs: frozenset[LegRef] = frozenset()

    def bars(self, lane_id: LaneId, source: LegRef) -> bool:
        return lane_id in self.lanes or source in self.legs


NOTHING_BARRED: Final = Barred()


class _Turn(NamedTuple):
    """A leg may go now: as this number of this lane, signed already or not."""

    lane: LaneId
    nonce: int
    signed: Signed | None


def choose(
    late: Sequence[Late],
    entries: Iterable[JournalEntry],
    *,
    maker: LeafMaker,
    inbox: Inbox,
    rows: Sequence[Row],
    batch_no: int,
    last_seq: int,
    ends: Ends = NO_ENDS,
    barred: Barred = NOTHING_BARRED,
    held: Mapping[LegRef, LaneId] | None = None,
) -> Chosen:
    """What batch `batch_no` holds of `late` legs and of whole `entries`, the last of which is `last_seq`; both are
    taken in journal order, whatever order they come in. `rows` are those of the batch before; `held`, where the batch
    is made again, says which legs it held and by which lanes, whatever has come to an end since. Raises `SealRefused`.
    """
    choice = _Choice(maker, inbox, rows, batch_no=batch_no, ends=ends, barred=barred, held=held)
    choice.take_late(sorted(late, key=_source_of))
    for entry in in_order(entries):
        for leg in entry.legs:
            choice.take(entry, leg)
    choice.burn_all(last_seq)
    return Chosen(choice.leaves, choice.given, list(choice.parked))


class _Choice:
    """The batch in the making."""

    def __init__(
        self,
        maker: LeafMaker,
        inbox: Inbox,
        rows: Sequence[Row],
        *,
        batch_no: int,
        ends: Ends,
        barred: Barred,
        held: Mapping[LegRef, LaneId] | None,
    ) -> None:
        self._maker = maker
        self._inbox = inbox
        self._own = {lane.id: lane for lane in inbox.lanes}
        self._batch_no = batch_no
        self._ends = ends
        self._barred = barred
        self._held = held
        self._nonces = nonces_of(rows)
        self._tips = {row.account: (row.seq, row.balance) for row in rows}
        self._stands: dict[tuple[LaneId, int], bool] = {}
        self._blocked: set[tuple[int, str]] = set()
        self._behind: set[int] = set()
        self._missing: Counter[bytes] = Counter()
        self._amount: Counter[bytes] = Counter()
        self.leaves: list[UnsealedLeaf] = []
        self.given: dict[bytes, Signature] = {}
        self.parked: dict[LegRef, None] = {}

    def take_late(self, late: Sequence[Late]) -> None:
        """Legs of earlier ranges, numbered on from the rows."""
        for entry, leg in late:
            self._miss(self._maker.public_moves(entry, leg), 1)
        for entry, leg in late:
            turn = self._turn(entry, leg)
            if turn is None:
                self._park(entry, leg)
            else:
                self._miss(self._maker.public_moves(entry, leg), -1)
                self._add(self._renumbered(self._maker.leaf(entry, leg, turn.lane, turn.nonce)), turn)

    def take(self, entry: JournalEntry, leg: Leg) -> None:
        """The next leg of the range, with the ledger's numbers less what is parked before it."""
        turn = self._turn(entry, leg)
        if turn is None:
            self._park(entry, leg)
            self._miss(self._maker.public_moves(entry, leg), 1)
            return
        leaf = self._maker.leaf(entry, leg, turn.lane, turn.nonce)
        self._add(self._shifted(leaf) if self._missing else leaf, turn)

    def burn_all(self, last_seq: int) -> None:
        """What posts nothing and is next on its lane needs no leg to wait for."""
        for lane in self._inbox.lanes:
            if lane.account in self._tips and (self._held is not None or lane.in_force(self._batch_no)):
                self._burn(lane, last_seq)

    def _turn(self, entry: JournalEntry, leg: Leg) -> _Turn | None:
        """None where the leg waits."""
        source = LegRef(entry.seq, leg.no)
        lane = self._lane(leg, source)
        if lane is None or self._must_wait(entry, leg, source):
            return None
        if lane in self._own:
            return self._own_turn(self._own[lane], source)
        return _Turn(lane, self._nonces.get(lane, 0) + 1, None)

    def _lane(self, leg: Leg, source: LegRef) -> LaneId | None:
        """The lane that signs it; None where nobody may now."""
        if self._held is not None:
            return self._held.get(source)
        own = self._inbox.lane_for(leg.signer, leg.kind, seq=source.seq, batch_no=self._batch_no)
        lane = own.id if own is not None else self._hosted(leg, source)
        if lane is None or (own is None and self._barred.bars(lane, source)) or not self._has_rows(lane, leg.issuer):
            return None
        return lane if self._ends.allow(Use(*lane, leg.kind, leg.terms_id), batch_no=self._batch_no) else None

    def _hosted(self, leg: Leg, source: LegRef) -> LaneId | None:
        """The lane whose key is kept here; None where the registry was asked, and the merchant has none yet."""
        try:
            return self._maker.hosted_lane(leg, source)
        except SealRefused:
            if self._ends.begun is None:
                raise
            return None

    def _has_rows(self, lane: LaneId, issuer: int) -> bool:
        """Whether the batch before has given its row to everything that a new merchant gets at the same time."""
        stands = self._stands.get((lane, issuer))
        if stands is None:
            merchants = {party for party in (lane.merchant_id, issuer) if 0 < party < OPERATOR_ID}
            accounts = [lane_account(*lane), *map(points_account, merchants)]
            self._stands[lane, issuer] = stands = all(account in self._tips for account in accounts)
        return stands

    def _must_wait(self, entry: JournalEntry, leg: Leg, source: LegRef) -> bool:
        """For what was before it, or for what it belongs together with."""
        if self._held is not None:
            return False
        if self._is_blocked(leg) or (leg.kind == Kind.FEE and _payer(leg) in self._behind):
            return True
        if leg.ref is not None and leg.ref in self.parked and not self._maker.knows(leg.ref):
            return True
        takes_in = _TAKES_IN.get(leg.kind)
        if takes_in is None or source in self._inbox.signed:  # a signature that was taken in has a promise to keep
            return False
        return any(self._cannot_follow(entry, other) for other in entry.legs if other.kind == takes_in)

    def _is_blocked(self, leg: Leg) -> bool:
        return leg.member is not None and (leg.issuer, leg.member) in self._blocked

    def _cannot_follow(self, entry: JournalEntry, leg: Leg) -> bool:
        """Whether what takes points in would stay behind."""
        return self._is_blocked(leg) or self._lane(leg, LegRef(entry.seq, leg.no)) is None

    def _own_turn(self, lane: SelfLane, source: LegRef) -> _Turn | None:
        signed = self._inbox.signed.get(source)
        if signed is None or lane.account not in self._tips:
            return None
        self._burn(lane, source.seq)
        due = self._nonces.get(lane.id, 0) + 1
        return _Turn(lane.id, due, signed) if signed.event.nonce == due else None

    def _burn(self, lane: SelfLane, seq: int) -> None:
        while (free := self._inbox.free.get((lane.id, self._nonces.get(lane.id, 0) + 1))) is not None:
            leaf = UnsealedLeaf(LegRef(seq, 0), free.event, None, None, None, None)
            self._add(leaf, _Turn(lane.id, free.event.nonce, free))

    def _add(self, leaf: UnsealedLeaf, turn: _Turn) -> None:
        if turn.signed is not None:
            if turn.signed.event != leaf.event:
                signed, posted = turn.signed.event, leaf.event
                raise SealRefused(Reason.SIGNED_OTHERWISE, leaf.source, expected=posted, actual=signed)
            self.given[leaf.event.hash_struct()] = turn.signed.signature
        self._nonces[turn.lane] = turn.nonce
        self.leaves.append(leaf)

    def _park(self, entry: JournalEntry, leg: Leg) -> None:
        self.parked[LegRef(entry.seq, leg.no)] = None
        self._behind.add(_payer(leg))
        if leg.member is not None:
            self._blocked.add((leg.issuer, leg.member))

    def _miss(self, moves: Iterable[Move], count: int) -> None:
        for move in moves:
            self._missing[move.account] += count
            self._amount[move.account] += count * move.delta
            if not self._missing[move.account]:
                del self._missing[move.account], self._amount[move.account]

    def _shifted(self, leaf: UnsealedLeaf) -> UnsealedLeaf:
        return leaf._replace(
            issuer=self._shift(leaf.issuer), debtor=self._shift(leaf.debtor), creditor=self._shift(leaf.creditor)
        )

    def _shift(self, move: Move | None) -> Move | None:
        if move is None or move.account not in self._missing:
            return move
        account, seq, delta, balance = move
        return Move(account, seq - self._missing[account], delta, balance - self._amount[account])

    def _renumbered(self, leaf: UnsealedLeaf) -> UnsealedLeaf:
        return leaf._replace(
            issuer=self._next(leaf.issuer), debtor=self._next(leaf.debtor), creditor=self._next(leaf.creditor)
        )

    def _next(self, move: Move | None) -> Move | None:
        """One step on from where the account stands; an account without a row is refused where leaves are chained."""
        if move is None:
            return None
        seq, balance = self._tips.get(move.account, (0, 0))
        self._tips[move.account] = seq + 1, balance + move.delta
        return Move(move.account, seq + 1, move.delta, balance + move.delta)


def _source_of(late: Late) -> LegRef:
    entry, leg = late
    return LegRef(entry.seq, leg.no)


def _payer(leg: Leg) -> int:
    """Whose fees a leg counts for: its signer's; a fee that is given back names its merchant as the issuer."""
    return leg.issuer if leg.kind == Kind.FEE and leg.signer == OPERATOR_ID else leg.signer
