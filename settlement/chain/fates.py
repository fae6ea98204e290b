"""What has become of a purpose: looked for on the chain, and written down as it is found.

Invariants (docs/protocol §5, R4 and R7): a receipt counts only if its block stands in the chain, and settles a purpose
only once that block is finalised and the account's own nonce there says the same, and a nonce counts as used by another
only when that is seen twice, so that one false answer decides nothing; what was reorganised away waits again. No SQL
transaction is open while the node is asked, and nothing is sent from here. Called by the outbox.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection

from settlement.chain.client import Chain, Receipt
from settlement.chain.intents import Outcome, is_filler, outcome_of
from settlement.chain.nonces import NonceBook, StoredTx
from settlement.chain.points import Reached
from settlement.steps import Fate

IN_A_BLOCK = frozenset({"MINED", "REVERTED"})


class _InABlock(NamedTuple):
    """A transaction of ours, its receipt, and whether nothing can take it off any more."""

    tx: StoredTx
    receipt: Receipt
    final: bool


class Fates:
    """The fates of one sender's purposes on one chain."""

    def __init__(
        self, conn: Connection[Any], chain: Chain, *, sender: bytes, book: NonceBook, reached: Reached
    ) -> None:
        self._conn, self._chain, self._sender, self._book, self._reached = conn, chain, sender, book, reached

    def of(self, purpose: str) -> Outcome:
        """Look for every transaction of a purpose on the chain, and write down what is found."""
        stored = self._book.of_purpose(purpose)
        if not stored:
            return self._of_unsigned(purpose)
        used, found = self._look(stored)
        ended = any(tx.done and tx.status in IN_A_BLOCK for tx in stored)
        if used and found is None and not ended:  # a node may count what it is just about to show
            used, found = self._look(stored)
        if found is not None:
            return self._found(purpose, stored, found)
        if used and not ended:
            self._close(stored[0].nonce)
            return outcome_of(Fate.DROPPED, stored)
        if any(tx.status in IN_A_BLOCK for tx in stored):
            return self._lost(purpose, stored, used=used)
        return outcome_of(Fate.WAITING, stored)

    def _look(self, stored: list[StoredTx]) -> tuple[bool, _InABlock | None]:
        """Whether a final block has used the nonce, and which of its transactions stands in a block."""
        final = self._chain.head("finalized")
        used = self._chain.nonce(self._sender, final.number) > stored[0].nonce
        for tx in stored:
            receipt = self._chain.receipt(tx.tx_hash)
            if receipt is not None and receipt.tx_hash == tx.tx_hash and self._stands(receipt):
                return used, _InABlock(tx, receipt, final=used and receipt.block_number <= final.number)
        return used, None

    def _of_unsigned(self, purpose: str) -> Outcome:
        """Nothing is kept for it: it has no nonce, or waits for its signature, or another used the nonce up."""
        reserved = self._book.reserved(purpose)
        if reserved is None:
            return Outcome(Fate.NEVER)
        nonce, done = reserved
        if not done and self._chain.nonce(self._sender, self._chain.head("finalized").number) <= nonce:
            return Outcome(Fate.ASKED)
        if not done:
            self._close(nonce)
        return Outcome(Fate.DROPPED)

    def _close(self, nonce: int) -> None:
        with self._conn.transaction():
            self._book.close(nonce)

    def _stands(self, receipt: Receipt) -> bool:
        """Whether the chain has the block that a receipt names."""
        newest = self._chain.head()
        return (
            receipt.block_number <= newest.number and self._chain.head(receipt.block_number).hash == receipt.block_hash
        )

    def _found(self, purpose: str, stored: list[StoredTx], found: _InABlock) -> Outcome:
        tx, receipt, final = found
        if not (tx.done and tx.status in IN_A_BLOCK):
            self._reached("included", purpose)
            with self._conn.transaction():
                self._book.unmine(tx.nonce)
                self._book.mark_mined(receipt)
                if final:
                    self._book.close(tx.nonce)
        if is_filler(tx.raw, self._sender):
            return outcome_of(Fate.DROPPED if final else Fate.ENDING, stored, receipt)
        if receipt.succeeded:
            return outcome_of(Fate.MINED, stored, receipt)
        return outcome_of(Fate.REVERTED if final else Fate.ENDING, stored, receipt)

    def _lost(self, purpose: str, stored: list[StoredTx], *, used: bool) -> Outcome:
        """No receipt any more. What a finalised block has used stays as it was found, as long as final blocks bear
        that out; anything else was reorganised away (R7) and waits again. A node that only lags costs a send in vain.
        """
        ended = next((tx for tx in stored if used and tx.done and tx.status in IN_A_BLOCK), None)
        if ended is None:
            with self._conn.transaction():
                self._book.undo(stored[0].nonce)
            self._reached("reorganised", purpose)
            return outcome_of(Fate.WAITING, stored)
        if is_filler(ended.raw, self._sender):
            return outcome_of(Fate.DROPPED, stored)
        return outcome_of(Fate.MINED if ended.status == "MINED" else Fate.REVERTED, stored)
