"""What one sender wants of the chain, each thing exactly once: a nonce for a purpose, signed, stored, then sent.

Invariants (docs/protocol §5, R3-R6): a nonce serves one purpose for ever; a transaction's bytes are in the database
before any node sees them; a restart sends the same bytes again; a replacement has the same nonce and calldata and pays
an eighth more; a nonce is done only when a finalised block has used it. Whatever nodes answer to a send decides
nothing: what counts is found by `observe`. No SQL transaction is open while the network is asked, so the connection is
in autocommit mode. Called by the submitter and deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from settlement import lease as leases
from settlement.chain.client import Chain, Receipt, SendCase, Sent
from settlement.chain.gas import Fees, raised
from settlement.chain.intents import Intent, Outcome, intent_of, is_filler, outcome_of
from settlement.chain.nonces import NonceBook, StoredTx
from settlement.chain.senders import LocalSigner, TransactionSigner
from settlement.lease import LEASE_S, Lease
from settlement.steps import BUMPS_MAX, Fate, stuck

__all__ = ["Checkpoint", "Intent", "LocalSigner", "Outbox", "Outcome", "TransactionSigner", "unwatched"]

FILLER_GAS = 21_000
COMPLETE_S_MAX = 300.0
COMPLETE_POLL_S = 0.5
NONCE_JUMP_MAX = 4_096
"""So many transactions of our account may have been sent without this database, by an earlier life of it."""
GAPS_FILLED_MAX = 64
"""In one drive; each costs a transfer's gas."""


class FeeCeiling(RuntimeError):
    """The next replacement would be the eleventh or offer more than `gas.FEE_WEI_MAX`: a person decides."""


class ForeignPending(RuntimeError):
    """The pool holds transactions of our account that this database never signed: another user of the account, or
    what an earlier life of a restored database sent. Nothing is signed before they are in a block or gone.
    """


class TransactionFailed(RuntimeError):
    """A transaction that had to succeed did not."""


class NotMinedYet(RuntimeError):
    """The network is slow; nothing is lost, the same call goes on where this one stopped."""


class NotAutocommit(RuntimeError):
    """The connection would hold a transaction open while the network is asked."""


Checkpoint = Callable[[str], None]
"""Called at named points, so that a crash test can end the process there: signed, sent, included (seen in a block, not
yet written down), each also with the verb of its purpose (signed:commit), handing (over to the node, at once),
replaced, resent, reorganised; and of a batch opened, sealed, published.
"""


def unwatched(_point: str) -> None:
    """The checkpoint of everyday."""


class Outbox:
    """The outgoing transactions of one sender on one chain."""

    def __init__(
        self,
        conn: Connection[Any],
        chain: Chain,
        signer: TransactionSigner,
        *,
        lease: Lease | None = None,
        lease_s: int = LEASE_S,
        checkpoint: Checkpoint = unwatched,
        scope: str = "",
    ) -> None:
        if not conn.autocommit:
            raise NotAutocommit("the outbox needs a connection in autocommit mode")
        self._conn, self._chain, self._signer = conn, chain, signer
        self._lease, self._lease_s, self._checkpoint, self.scope = lease, lease_s, checkpoint, scope
        self._holder = leases.this_process()
        self.sender, self.chain_id = signer.address, chain.chain_id()
        self._book = NonceBook(conn, chain_id=self.chain_id, sender=self.sender)

    @contextmanager
    def leading(self, *, wait_s_max: float = 0) -> Iterator[Outbox]:
        """This outbox as the one leader of its sender: it signs and sends only while its fencing token is in force.

        Raises `LeaseHeld` while another process leads. Within `leading` it answers with itself.
        """
        if self._lease is not None:
            yield self
            return
        name = f"submitter:{self.chain_id}:{self.sender.hex()}"
        lease = leases.take_within(self._conn, name, holder=self._holder, seconds=self._lease_s, wait_s_max=wait_s_max)
        try:
            yield Outbox(
                self._conn,
                self._chain,
                self._signer,
                lease=lease,
                lease_s=self._lease_s,
                checkpoint=self._checkpoint,
                scope=self.scope,
            )
        finally:
            # An interruption may leave a statement under way; then the lease runs out by itself.
            if self._conn.info.transaction_status is not TransactionStatus.ACTIVE:
                lease.release(self._conn)

    @property
    def takeover_s(self) -> float:
        """How long at most a leader that died keeps its lease, with a little to spare."""
        return self._lease_s + 2.0

    def renew(self) -> None:
        """Hold the lead for another while. Raises `LeaseHeld` or `LeaseLost`."""
        if self._lease is not None:
            self._lease.renew(self._conn, seconds=self._lease_s)

    def submit(self, intent: Intent) -> Outcome:
        """Make sure that the intent is signed, stored and sent; what has become of it."""
        stored = self._book.of_purpose(intent.purpose)
        if stored and stored[0].done:
            return self.observe(intent.purpose)
        tx = stored[0] if stored else self._prepare(intent)
        self._reached("signed", intent.purpose)
        self._send(tx)
        self._reached("sent", intent.purpose)
        return self.observe(intent.purpose)

    def complete(self, intent: Intent, *, wait_s_max: float = COMPLETE_S_MAX) -> Receipt:
        """Submit and wait for the block.

        Raises `TransactionFailed` when it reverted or lost its nonce, `NotMinedYet`.
        """
        outcome = self.observe(intent.purpose)
        for _ in range(max(1, int(wait_s_max / COMPLETE_POLL_S))):
            self.renew()
            if outcome.newest and stuck(age_s=outcome.newest.age_s, replacements=outcome.replacements):
                outcome = self.bump(intent.purpose)
            elif outcome.fate in {Fate.NEVER, Fate.WAITING}:
                outcome = self.submit(intent)
            match outcome.fate:
                case Fate.MINED if outcome.receipt is not None:
                    return outcome.receipt
                case Fate.REVERTED | Fate.DROPPED | Fate.ENDING:
                    raise TransactionFailed(f"{intent.purpose}: {outcome.fate.value}")
                case _:
                    sleep(COMPLETE_POLL_S)
                    outcome = self.observe(intent.purpose)
        raise NotMinedYet(f"{intent.purpose}: in no block after {wait_s_max:.0f} s; run again to go on")

    def nonce_of(self, purpose: str) -> int | None:
        """The nonce reserved for a purpose, None if nothing was signed for it."""
        stored = self._book.of_purpose(purpose)
        return stored[0].nonce if stored else None

    def mined(self, purpose: str) -> list[bytes]:
        """The hashes of what was found in a block for a purpose."""
        return [tx.tx_hash for tx in self._book.of_purpose(purpose) if tx.status in _IN_A_BLOCK]

    def attempts(self, purpose: str) -> int:
        """How often this purpose came to nothing and was retired."""
        return self._book.retired(purpose)

    def observe(self, purpose: str) -> Outcome:
        """Look for every transaction of a purpose on the chain, and write down what is found.

        A receipt counts only if its block stands in the chain, and settles the purpose only once that block is
        finalised and the account's own nonce there says the same: one false answer decides nothing.
        """
        stored = self._book.of_purpose(purpose)
        if not stored:
            return Outcome(Fate.NEVER)
        nonce, final = stored[0].nonce, self._chain.head("finalized")
        used = self._chain.nonce(self.sender, final.number) > nonce
        for tx in stored:
            receipt = self._chain.receipt(tx.tx_hash)
            if receipt is not None and receipt.tx_hash == tx.tx_hash and self._stands(receipt):
                return self._found(purpose, stored, tx, receipt, final=used and receipt.block_number <= final.number)
        if used and not any(tx.done and tx.status in _IN_A_BLOCK for tx in stored):
            with self._conn.transaction():
                self._book.close(nonce)
            return outcome_of(Fate.DROPPED, stored)
        if any(tx.status in _IN_A_BLOCK for tx in stored):
            return self._lost(stored, used=used)
        return outcome_of(Fate.WAITING, stored)

    def reconcile(self) -> None:
        """Look for everything that is not done; nothing is sent."""
        for purpose in self._book.open_purposes():
            self.observe(purpose)

    def open_purposes(self) -> list[str]:
        """Every purpose whose nonce no finalised block has used, by what was written down last."""
        return self._book.open_purposes()

    def tend(self, *, obsolete: Collection[str], owned: Collection[str]) -> None:
        """Keep the line of nonces moving (R6): what is open is handed over again, and the nonce of a purpose that is
        `obsolete` is used up, so that nothing waits behind it. What is `owned` somebody else decides about. Nonces that
        nothing was ever signed for, and that others wait behind, are used up first.
        """
        self._fill_gaps()
        for purpose in self._book.open_purposes():
            if purpose in owned:
                continue
            outcome = self.observe(purpose)
            if outcome.fate is not Fate.WAITING or outcome.newest is None:
                continue
            if purpose in obsolete or self._book.is_retired(purpose):
                self.void(purpose)
            elif stuck(age_s=outcome.newest.age_s, replacements=outcome.replacements):
                self.bump(purpose)
            else:
                self._send(outcome.newest)

    def bump(self, purpose: str) -> Outcome:
        """Replace what waits by the same call with a higher offer (R4). Raises `FeeCeiling`."""
        return self._replace(purpose, None)

    def void(self, purpose: str) -> Outcome:
        """Use up the nonce of a purpose with an empty transfer to ourselves; then DROPPED proves the purpose dead."""
        waiting = self.observe(purpose)
        if waiting.fate is not Fate.WAITING or waiting.newest is None:
            return waiting
        if not is_filler(waiting.newest.raw, self.sender):
            return self._replace(purpose, Intent(purpose, self.sender, b"", FILLER_GAS))
        if stuck(age_s=waiting.newest.age_s, replacements=waiting.replacements):
            return self._replace(purpose, None)
        self._send(waiting.newest)
        return self.observe(purpose)

    def retire(self, purpose: str) -> None:
        """Let a purpose that ended REVERTED or DROPPED be tried again on a new nonce."""
        self._book.retire(purpose)

    def follow(self, purpose: str) -> None:
        """Let a purpose that ended MINED have one more call, on a new nonce; that is no failure."""
        self._book.follow(purpose)

    def _replace(self, purpose: str, other: Intent | None) -> Outcome:
        """The same nonce again for more: with the calldata it has, or with another intent's."""
        waiting = self.observe(purpose)
        if waiting.fate is not Fate.WAITING or waiting.newest is None:
            return waiting
        old = waiting.newest
        fees = raised(Fees(old.max_fee, old.prio), self._chain.fees())
        if waiting.replacements >= BUMPS_MAX or fees is None:
            self._send(old)
            raise FeeCeiling(f"{purpose}: replaced {waiting.replacements} times, the last offer was {old.max_fee} wei")
        with self._conn.transaction():
            self._require_lead()
            tx = self._sign(other or intent_of(purpose, old.raw), old.nonce, fees)
            self._book.store(tx)
        self._checkpoint("replaced")
        self._send(tx)
        self._checkpoint("resent")
        return self.observe(purpose)

    def _fill_gaps(self) -> None:
        """A node that once counted too high leaves nonces behind that nobody has, or that were given up for used: empty
        transfers take them (R6).
        """
        used = self._chain.nonce(self.sender)
        self._book.reopen(used=used)
        missing = self._book.gaps(used=used, limit=GAPS_FILLED_MAX)
        fees = self._chain.fees() if missing else None
        for nonce in missing:
            assert fees is not None
            with self._conn.transaction():
                self._book.lock()
                self._require_lead()
                taken = self._book.reserve(f"gap:{nonce}", batch_no=None, used=nonce)
                assert taken == nonce, "the lead and the lock are ours"
                tx = self._sign(Intent(f"gap:{nonce}", self.sender, b"", FILLER_GAS), nonce, fees)
                self._book.store(tx)
            self._send(tx)

    def _require_explained(self, used: int) -> None:
        """More transactions than this database signed are believed when a final block has them, and within bounds: a
        node that counts too high would have us sign what can never be mined. Raises `ForeignPending`.
        """
        known = self._book.next()
        if used <= known or not known:
            return
        settled = self._chain.nonce(self.sender, self._chain.head("finalized").number)
        if used > settled or used - known > NONCE_JUMP_MAX:
            raise ForeignPending(
                f"the node counts {used} transactions of 0x{self.sender.hex()}, {settled} of them in final blocks, "
                f"and this database signed {known}"
            )

    def _prepare(self, intent: Intent) -> StoredTx:
        """Reserve the next nonce and store the signed bytes, in one SQL transaction."""
        used, pending = self._chain.nonce(self.sender), self._chain.nonce(self.sender, "pending")
        self._require_explained(used)
        fees = self._chain.fees()
        with self._conn.transaction():
            self._book.lock()
            self._require_lead()
            raced = self._book.of_purpose(intent.purpose)
            if raced:
                return raced[0]
            if pending > max(used, self._book.next()):
                raise ForeignPending(
                    f"the pool holds {pending - max(used, self._book.next())} transactions of 0x{self.sender.hex()} "
                    "that this database did not sign"
                )
            nonce = self._book.reserve(intent.purpose, batch_no=intent.batch_no, used=used)
            tx = self._sign(intent, nonce, fees)
            self._book.store(tx)
        return tx

    def _sign(self, intent: Intent, nonce: int, fees: Fees) -> StoredTx:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "gas": intent.gas,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.tip_wei,
            "value": 0,
            "data": intent.data,
        }
        if intent.to is not None:
            fields["to"] = intent.to
        tx_hash, raw = self._signer.sign(fields)
        return StoredTx(tx_hash, nonce, raw, fees.max_fee_wei, fees.tip_wei, "SIGNED", age_s=0)

    def _send(self, tx: StoredTx) -> Sent:
        """Hand the bytes over; where the node misses a lower nonce, send that one's stored bytes first."""
        with self._conn.transaction():
            self._require_lead()
            self._book.mark_sent(tx)
        self._checkpoint("handing")
        sent = self._chain.send(tx.raw)
        if sent.case is not SendCase.NONCE_TOO_HIGH:
            return sent
        for raw in self._book.open_below(tx.nonce):
            self._chain.send(raw)
        return self._chain.send(tx.raw)

    def _stands(self, receipt: Receipt) -> bool:
        """Whether the chain has the block that a receipt names."""
        newest = self._chain.head()
        return (
            receipt.block_number <= newest.number and self._chain.head(receipt.block_number).hash == receipt.block_hash
        )

    def _found(self, purpose: str, stored: list[StoredTx], tx: StoredTx, receipt: Receipt, *, final: bool) -> Outcome:
        if not (tx.done and tx.status in _IN_A_BLOCK):
            self._reached("included", purpose)
            with self._conn.transaction():
                self._book.unmine(tx.nonce)
                self._book.mark_mined(receipt)
                if final:
                    self._book.close(tx.nonce)
        if is_filler(tx.raw, self.sender):
            return outcome_of(Fate.DROPPED if final else Fate.ENDING, stored, receipt)
        if receipt.succeeded:
            return outcome_of(Fate.MINED, stored, receipt)
        return outcome_of(Fate.REVERTED if final else Fate.ENDING, stored, receipt)

    def _lost(self, stored: list[StoredTx], *, used: bool) -> Outcome:
        """No receipt any more. What a finalised block has used stays as it was found, as long as final blocks bear
        that out; anything else was reorganised away (R7) and waits again. A node that only lags costs a send in vain.
        """
        ended = next((tx for tx in stored if used and tx.done and tx.status in _IN_A_BLOCK), None)
        if ended is None:
            with self._conn.transaction():
                self._book.undo(stored[0].nonce)
            self._checkpoint("reorganised")
            return outcome_of(Fate.WAITING, stored)
        if is_filler(ended.raw, self.sender):
            return outcome_of(Fate.DROPPED, stored)
        return outcome_of(Fate.MINED if ended.status == "MINED" else Fate.REVERTED, stored)

    def _reached(self, point: str, purpose: str) -> None:
        """Two names for one point: by itself, and with the verb of the purpose (`signed:commit`)."""
        self._checkpoint(point)
        self._checkpoint(f"{point}:{purpose.partition(':')[0]}")

    def _require_lead(self) -> None:
        if self._lease is not None:
            self._lease.require(self._conn)


_IN_A_BLOCK = frozenset({"MINED", "REVERTED"})
