"""How a decision becomes signed bytes that are kept: decide and write down, ask the signer, keep what it answers.

Invariants (docs/protocol §5, R1 and R3): what is decided is in the database, with its nonce, before the signer is
asked; no SQL transaction is open while it is asked, so that whoever takes long holds up nobody; what it answers is kept
only by who still leads and holds the draft that was asked about, and what is not kept is thrown away and never sent. A
draft that nobody answered is asked about again, to the byte unless its owner wants something else by now; a signer that
says no gives the nonce back. A nonce for which somebody else's transaction is under way is not signed for (decision
0247). Called by the outbox, which sends what comes from here.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.drafts import Draft, DraftBook
from settlement.chain.gas import Fees
from settlement.chain.intents import FILLER_GAS, Intent
from settlement.chain.nonces import NonceBook, StoredTx
from settlement.chain.points import Reached
from settlement.chain.refused import SignerRefused, SignerSilent
from settlement.chain.senders import TransactionSigner
from settlement.lease import Lead
from settlement.steps import stuck

NONCE_JUMP_MAX = 4_096
"""So many transactions of our account may have been sent without this database, by an earlier life of it."""


class ForeignPending(RuntimeError):
    """The pool holds transactions of our account that this database never signed: another user of the account, or
    what an earlier life of a restored database sent. Nothing is signed before they are in a final block or gone, also
    not for a nonce that was reserved before they came.
    """


class Pen:
    """The signer of one sender on one chain, as the outbox uses it."""

    def __init__(
        self,
        conn: Connection[Any],
        chain: Chain,
        signer: TransactionSigner,
        *,
        lead: Lead,
        book: NonceBook,
        drafts: DraftBook,
        chain_id: int,
        reached: Reached,
    ) -> None:
        self._conn, self._chain, self._signer, self._chain_id = conn, chain, signer, chain_id
        self._lead, self._book, self._drafts, self._reached = lead, book, drafts, reached

    def first(self, intent: Intent) -> StoredTx | None:
        """What is kept for a purpose, signed now where nothing is; None where its nonce went to another transaction.
        Raises `ForeignPending`, `LeaseLost`, `SignerRefused`, `ChainUnclear` where it was made for another nonce.
        """
        draft = self._begun(intent)
        return self._kept(draft) if draft is not None else self._newest(intent.purpose)

    def resume(self, purpose: str) -> StoredTx | None:
        """The same for what was decided before, as it was decided. Raises `LeaseLost`, `SignerRefused`."""
        with self._conn.transaction():
            self._lead.extend()
            draft = self._drafts.again(purpose)
        return self._kept(draft) if draft is not None else self._newest(purpose)

    def instead(self, nonce: int, intent: Intent, fees: Fees) -> StoredTx | None:
        """The nonce of this purpose once more: with a higher offer, or for nothing. Raises as `resume`."""
        with self._conn.transaction():
            self._lead.extend()
            draft = self._drafts.put(nonce, intent, fees)
        return self._kept(draft)

    def fill(self, nonce: int, fees: Fees) -> StoredTx | None:
        """An empty transfer to ourselves for a nonce that no purpose has. Raises as `resume`."""
        intent = Intent(f"gap:{nonce}", self._signer.address, b"", FILLER_GAS)
        with self._conn.transaction():
            self._book.lock()
            self._lead.extend()
            taken = self._book.reserve(intent.purpose, batch_no=None, used=nonce)
            assert taken == nonce, "the lead and the lock are ours"
            draft = self._drafts.put(nonce, intent, fees)
        return self._kept(draft)

    def _begun(self, intent: Intent) -> Draft | None:
        """Reserve the next nonce and write down what it is for; the draft that is there, where it was reserved before;
        None where that is signed or used up.
        """
        used, pending = self._chain.nonce(self._signer.address), self._chain.nonce(self._signer.address, "pending")
        self._require_explained(used)
        fees = self._chain.fees()
        with self._conn.transaction():
            self._book.lock()
            self._lead.extend()
            if self._book.reserved(intent.purpose) is not None:
                return self._decided(intent, fees)
            if pending > max(used, self._book.next()):
                raise ForeignPending(
                    f"the pool holds {pending - max(used, self._book.next())} transactions of "
                    f"0x{self._signer.address.hex()} that this database did not sign"
                )
            nonce = self._book.reserve(intent.purpose, batch_no=intent.batch_no, used=used)
            if intent.nonce not in {None, nonce}:
                raise ChainUnclear(f"{intent.purpose} was made for nonce {intent.nonce}, but {nonce} is the next one")
            return self._drafts.put(nonce, intent, fees)

    def _decided(self, intent: Intent, fees: Fees) -> Draft | None:
        """The draft that is there, to the byte; another one where the purpose asks for something else by now."""
        draft = self._drafts.again(intent.purpose)
        if draft is None or draft.intent == intent:
            return draft
        return self._drafts.put(draft.nonce, intent, fees)

    def _require_explained(self, used: int) -> None:
        """More transactions than this database signed are believed when a final block has them, and within bounds: a
        node that counts too high would have us sign what can never be mined. Raises `ForeignPending`.
        """
        known = self._book.next()
        if used <= known or not known:
            return
        settled = self._chain.nonce(self._signer.address, self._chain.head("finalized").number)
        if used > settled or used - known > NONCE_JUMP_MAX:
            raise ForeignPending(
                f"the node counts {used} transactions of 0x{self._signer.address.hex()}, {settled} of them in final "
                f"blocks, and this database signed {known}"
            )

    def _is_open(self, nonce: int) -> bool:
        """Whether a nonce may be signed for. Where nothing of ours ever was, whatever the pool or a block has there is
        another's (R3): False once that is final. What is signed already is out, and pays more by the rule (R4).
        Raises `ForeignPending`.
        """
        sender = self._signer.address
        # The node first: what another process of ours has sent meanwhile was stored before.
        pending = self._chain.nonce(sender, "pending")
        if pending <= nonce or self._book.is_signed(nonce):
            return True
        if self._chain.nonce(sender, self._chain.head("finalized").number) > nonce:
            return False
        if self._is_gap(nonce, pending):
            return True
        raise ForeignPending(
            f"nonce {nonce} of 0x{sender.hex()} is used, in no final block yet, by a transaction that this database "
            "did not sign"
        )

    def _is_gap(self, nonce: int, pending: int) -> bool:
        """Whether the pool's count may be of ours alone, which wait behind this nonce: some nodes count past a gap.
        Were it another's, ours would have gone with it by the time they count as stuck, or that is stuck as well.
        """
        behind = self._book.sent_behind(nonce)
        if behind is None or self._chain.nonce(self._signer.address) > nonce:
            return False
        highest, age_s = behind
        return pending <= highest + 1 and stuck(age_s=age_s, replacements=0)

    def _kept(self, draft: Draft) -> StoredTx | None:
        """Ask, and keep the answer if the lead and the draft are still ours; else what somebody else has kept."""
        purpose = draft.intent.purpose
        if not self._is_open(draft.nonce):
            return None
        self._reached("decided", purpose)
        signed = self._signed(draft)
        self._reached("answered", purpose)
        with self._conn.transaction():
            self._lead.require()
            if self._drafts.take(draft):
                self._book.store(signed)
                return signed
        return self._newest(purpose)

    def _signed(self, draft: Draft) -> StoredTx:
        assert self._conn.info.transaction_status is not TransactionStatus.INTRANS, "a signer may take its time"
        try:
            tx_hash, raw = self._signer.sign(self._fields(draft))
        except SignerSilent:
            raise  # it may have signed: the nonce stays with its purpose
        except SignerRefused:
            self._give_back(draft)
            raise
        return StoredTx(tx_hash, draft.nonce, raw, draft.fees.max_fee_wei, draft.fees.tip_wei, "SIGNED", age_s=0)

    def _fields(self, draft: Draft) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": draft.nonce,
            "gas": draft.intent.gas,
            "maxFeePerGas": draft.fees.max_fee_wei,
            "maxPriorityFeePerGas": draft.fees.tip_wei,
            "value": 0,
            "data": draft.intent.data,
        }
        return fields if draft.intent.to is None else {**fields, "to": draft.intent.to}

    def _give_back(self, draft: Draft) -> None:
        """The signer said no. Nothing waits behind what it will not sign: the nonce is the next purpose's."""
        with self._conn.transaction():
            self._lead.require()
            if self._drafts.take(draft):
                self._book.release(draft.nonce)

    def _newest(self, purpose: str) -> StoredTx | None:
        stored = self._book.of_purpose(purpose)
        return stored[0] if stored else None
