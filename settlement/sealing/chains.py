"""The accounts and the leaves of a batch while it is built: where each chain of postings stands, and the words that are
hashed and published.

A leaf's words are made once and serve file and hashes alike. It is made in three steps, so that signatures may come
from elsewhere meanwhile: its event, its links to what was before, its signature. Called by `seal`. Source:
docs/protocol §2.3, §2.6, §3.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ledger.answers import LegRef
from proofs.accounts import lane_account
from proofs.keccak import keccak256
from proofs.kinds import MAY_OWE
from proofs.lpb1 import EMPTY_SLOT, EVENT_BYTES, RECORD_BYTES, Row, slot_hash, slot_words
from proofs.messages import PointsEvent, SettlementLeaf
from proofs.words import WORD_BYTES, ZERO_WORD, int_word
from settlement.sealing.lanes import Signature
from settlement.sealing.leaves import Move, UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused

_NUMBERS = struct.Struct(">24xQ24xQ")
_SIGNATURE = struct.Struct("32s32s")
_LEAF_BYTES = (1 + SettlementLeaf.WORDS) * WORD_BYTES
_EVENT_HASH_AT, _LEAF_SIGNATURE_AT, _POSTINGS_AT = 3 * WORD_BYTES, 4 * WORD_BYTES, 6 * WORD_BYTES
_SLOTS_AT = EVENT_BYTES + _SIGNATURE.size
_lane_account = lru_cache(maxsize=4096)(lane_account)


class Tip(NamedTuple):
    """Where an account's chain of postings ends: the last number, the leaf that holds it, the balance after it."""

    seq: int
    leaf_no: int
    balance: int


UNTOUCHED = Tip(0, 0, 0)


class Link(NamedTuple):
    """How a leaf is tied to what was before: its lane's last leaf, the words of its slots and their hashes, the total
    after it.
    """

    lane_prev: int
    slots: bytes
    hashes: bytes
    total: int


class Chains:
    """All accounts while a batch is built: where each ends, and the points in existence."""

    def __init__(self, rows: Sequence[Row], member_tips: Mapping[bytes, Tip], total: int, batch_secret: bytes) -> None:
        self._tips = {row.account: Tip(row.seq, row.last_leaf_no, row.balance) for row in rows}
        self._earlier_members = member_tips
        self._batch_secret = batch_secret
        self.member_tips: dict[bytes, Tip] = {}
        self.total = total

    def link(self, leaf_no: int, leaf: UnsealedLeaf) -> Link:
        """Tie the next leaf. Raises `SealRefused`: LANE_GAP, NO_ROW, STEP_GAP, BALANCE, OVERDRAWN."""
        source, event, issuer, debtor, creditor, member = leaf
        lane_prev = self._lane(leaf_no, event, source)
        slots, hashes = [], []
        for move in (issuer, debtor, creditor):
            slot, posting = self._step(leaf_no, move, source)
            slots.append(slot)
            hashes.append(posting)
        slot, posting = self._member_step(leaf_no, member, event.kind, source)
        self.total += issuer.delta if issuer else 0
        return Link(lane_prev, b"".join((*slots, slot)), b"".join((*hashes, posting)), self.total)

    def rows(self, registered: Iterable[bytes]) -> list[Row]:
        """The closing rows, ascending: every account that had one, and a zero row for each newly registered."""
        accounts = self._tips.keys() | set(registered)
        return [Row(account, *self._tips.get(account, UNTOUCHED)) for account in sorted(accounts)]

    def _lane(self, leaf_no: int, event: PointsEvent, source: LegRef) -> int:
        account = _lane_account(event.merchant_id, event.key_id)
        tip = self._tip_of_row(account, source)
        if event.nonce != tip.seq + 1:
            raise SealRefused(Reason.LANE_GAP, source, expected=tip.seq + 1, actual=event.nonce)
        self._tips[account] = Tip(event.nonce, leaf_no, 0)
        return tip.leaf_no

    def _step(self, leaf_no: int, move: Move | None, source: LegRef) -> tuple[bytes, bytes]:
        if move is None:
            return EMPTY_SLOT, ZERO_WORD
        tip = self._tip_of_row(move.account, source)
        self._tips[move.account] = _next_tip(tip, move, leaf_no, source)
        return self._posting(move, tip.leaf_no)

    def _member_step(self, leaf_no: int, move: Move | None, kind: int, source: LegRef) -> tuple[bytes, bytes]:
        if move is None:
            return EMPTY_SLOT, ZERO_WORD
        tip = self.member_tips.get(move.account) or self._earlier_members.get(move.account, UNTOUCHED)
        self.member_tips[move.account] = _next_tip(tip, move, leaf_no, source)
        if move.balance < 0 and move.delta < 0 and kind not in MAY_OWE:
            raise SealRefused(Reason.OVERDRAWN, source, expected="a balance of 0 or more", actual=move.balance)
        return self._posting(move, tip.leaf_no)

    def _tip_of_row(self, account: bytes, source: LegRef) -> Tip:
        tip = self._tips.get(account)
        if tip is None:
            found = f"none for {account.hex()}"
            raise SealRefused(Reason.NO_ROW, source, expected="a row in the previous batch", actual=found)
        return tip

    def _posting(self, move: Move, prev_leaf_no: int) -> tuple[bytes, bytes]:
        account, seq, delta, balance = move
        words = slot_words(account, seq, prev_leaf_no, delta, balance)
        return words, slot_hash(words, self._batch_secret)


def _next_tip(tip: Tip, move: Move, leaf_no: int, source: LegRef) -> Tip:
    """Where the account ends after `move`, which must continue it."""
    if move.seq != tip.seq + 1:
        raise SealRefused(Reason.STEP_GAP, source, expected=tip.seq + 1, actual=move.seq)
    if move.balance != tip.balance + move.delta:
        raise SealRefused(Reason.BALANCE, source, expected=tip.balance + move.delta, actual=move.balance)
    return Tip(move.seq, leaf_no, move.balance)


class Drafts:
    """The leaves of a batch, written into the words of the file and into what is hashed of each."""

    def __init__(self, first_leaf_no: int, count: int) -> None:
        self.words = bytearray(count * RECORD_BYTES)
        self._leaves = bytearray(count * _LEAF_BYTES)
        self._first_leaf_no = first_leaf_no
        self._count = count
        self._with_event = 0

    def events(self, leaves: Sequence[UnsealedLeaf]) -> list[bytes]:
        """Put in the events of the next leaves; their hashes, which are to be signed."""
        hashes = []
        for leaf in leaves:
            words = leaf.event.words()
            event_hash = keccak256(PointsEvent.TYPEHASH + words)
            at, hashed_at = self._with_event * RECORD_BYTES, self._with_event * _LEAF_BYTES + _EVENT_HASH_AT
            self.words[at : at + EVENT_BYTES] = words
            self._leaves[hashed_at : hashed_at + WORD_BYTES] = event_hash
            self._with_event += 1
            hashes.append(event_hash)
        return hashes

    def link(self, index: int, link: Link) -> None:
        """Put in where leaf `index` (0-based) stands."""
        total, numbers = int_word(link.total), _NUMBERS.pack(self._first_leaf_no + index, link.lane_prev)
        at = index * RECORD_BYTES
        self.words[at + _SLOTS_AT : at + RECORD_BYTES] = link.slots + total + numbers
        at = index * _LEAF_BYTES
        self._leaves[at : at + _EVENT_HASH_AT] = SettlementLeaf.TYPEHASH + numbers
        self._leaves[at + _POSTINGS_AT : at + _LEAF_BYTES] = link.hashes + total

    def sign(self, signatures: Sequence[Signature]) -> list[bytes]:
        """Put in all signatures; the hashes of the leaves."""
        hashes = []
        for index, (r, vs) in enumerate(signatures):
            at, leaf_at = index * RECORD_BYTES + EVENT_BYTES, index * _LEAF_BYTES
            signature = r + vs
            self.words[at : at + _SIGNATURE.size] = signature
            self._leaves[leaf_at + _LEAF_SIGNATURE_AT : leaf_at + _POSTINGS_AT] = signature
            hashes.append(keccak256(bytes(self._leaves[leaf_at : leaf_at + _LEAF_BYTES])))
        assert len(hashes) == self._count
        return hashes
