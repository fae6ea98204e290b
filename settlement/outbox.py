"""What one sender wants of the chain, each thing exactly once: a nonce for a purpose, signed, stored, then sent.

Invariants (docs/protocol §5, R3-R6): a nonce serves one purpose for ever; a transaction's bytes are in the database
before any node sees them; a restart sends the same bytes again; a replacement has the same nonce and calldata and pays
an eighth more; a nonce is done only when a finalised block has used it. Whatever nodes answer to a send decides
nothing: what counts is found by `observe`. No SQL transaction is open while the network is asked, so the connection is
in autocommit mode. Called by the submitter and deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from psycopg import Connection

from settlement.chain import Chain, Fees, Receipt, SendCase, Sent
from settlement.lease import Lease
from settlement.nonces import NonceBook, StoredTx
from settlement.steps import BUMPS_MAX, Fate

FEE_WEI_MAX = 10**12
"""No transaction offers more per gas; what needs more waits for a person."""
FILLER_GAS = 21_000
COMPLETE_S_MAX = 300.0
COMPLETE_POLL_S = 0.5


class FeeCeiling(RuntimeError):
    """The next replacement would be the eleventh or offer more than `FEE_WEI_MAX`: a person decides."""


class TransactionFailed(RuntimeError):
    """A transaction that had to succeed did not."""


class NotMinedYet(RuntimeError):
    """The network is slow; nothing is lost, the same call goes on where this one stopped."""


class NotAutocommit(RuntimeError):
    """The connection would hold a transaction open while the network is asked."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One transaction to be: `purpose` names it for ever; `to` None creates a contract."""

    purpose: str
    to: bytes | None
    data: bytes
    gas: int
    batch_no: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of a purpose, its best paying transaction, and the receipt once there is one."""

    fate: Fate
    newest: StoredTx | None = None
    replacements: int = 0
    receipt: Receipt | None = None


class TransactionSigner(Protocol):
    """The port to the sender's key: an account in this process, a keystore, or a remote signer."""

    @property
    def address(self) -> bytes: ...

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        """(hash, raw bytes) of a transaction with these fields."""
        ...


class LocalSigner:
    """A key in this process."""

    def __init__(self, key: bytes) -> None:
        self._account: LocalAccount = Account.from_key(key)

    @property
    def address(self) -> bytes:
        return bytes.fromhex(self._account.address[2:])

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        """EIP-1559, low-s, deterministic."""
        made = self._account.sign_transaction(fields)
        return bytes(made.hash), bytes(made.raw_transaction)


Checkpoint = Callable[[str], None]
"""Called at named points, so that a crash test can end the process there."""


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
        checkpoint: Checkpoint = unwatched,
    ) -> None:
        if not conn.autocommit:
            raise NotAutocommit("the outbox needs a connection in autocommit mode")
        self._conn, self._chain, self._signer = conn, chain, signer
        self._lease, self._checkpoint = lease, checkpoint
        self.sender, self.chain_id = signer.address, chain.chain_id()
        self._book = NonceBook(conn, chain_id=self.chain_id, sender=self.sender)

    def submit(self, intent: Intent) -> Outcome:
        """Make sure that the intent is signed, stored and sent; what has become of it."""
        stored = self._book.of_purpose(intent.purpose)
        tx = stored[0] if stored else self._prepare(intent)
        self._checkpoint("signed")
        self._send(tx)
        self._checkpoint("sent")
        return self.observe(intent.purpose)

    def complete(self, intent: Intent, *, wait_s_max: float = COMPLETE_S_MAX) -> Receipt:
        """Submit and wait for the block.

        Raises `TransactionFailed` when it reverted or lost its nonce, `NotMinedYet`.
        """
        outcome = self.observe(intent.purpose)
        for _ in range(max(1, int(wait_s_max / COMPLETE_POLL_S))):
            if outcome.fate in {Fate.NEVER, Fate.WAITING}:
                outcome = self.submit(intent)
            match outcome.fate:
                case Fate.MINED if outcome.receipt is not None:
                    return outcome.receipt
                case Fate.REVERTED | Fate.DROPPED:
                    raise TransactionFailed(f"{intent.purpose}: {outcome.fate.value}")
                case _:
                    sleep(COMPLETE_POLL_S)
        raise NotMinedYet(f"{intent.purpose}: in no block after {wait_s_max:.0f} s; run again to go on")

    def nonce_of(self, purpose: str) -> int | None:
        """The nonce reserved for a purpose, None if nothing was signed for it."""
        stored = self._book.of_purpose(purpose)
        return stored[0].nonce if stored else None

    def attempts(self, purpose: str) -> int:
        """How often this purpose was retired."""
        return self._book.retired(purpose)

    def observe(self, purpose: str) -> Outcome:
        """Look for every transaction of a purpose on the chain, and write down what is found."""
        stored = self._book.of_purpose(purpose)
        if not stored:
            return Outcome(Fate.NEVER)
        nonce, final = stored[0].nonce, self._chain.head("finalized").number
        for tx in stored:
            receipt = self._chain.receipt(tx.tx_hash)
            if receipt is not None:
                return self._found(stored, tx, receipt, final=receipt.block_number <= final)
        if self._chain.nonce(self.sender, "finalized") > nonce:
            with self._conn.transaction():
                self._book.close(nonce)
            return _outcome(Fate.DROPPED, stored)
        if any(tx.status in {"MINED", "REVERTED"} for tx in stored):
            self._book.unmine(nonce)
        return _outcome(Fate.WAITING, stored)

    def reconcile(self) -> None:
        """Look for everything that is not done; nothing is sent."""
        for purpose in self._book.open_purposes():
            self.observe(purpose)

    def bump(self, intent: Intent) -> Outcome:
        """Replace what waits by the same call with a higher offer. Raises `FeeCeiling`."""
        return self._replace(intent)

    def void(self, purpose: str) -> Outcome:
        """Use up the nonce of a purpose with an empty transfer to ourselves; then DROPPED proves the purpose dead."""
        return self._replace(Intent(purpose, self.sender, b"", FILLER_GAS))

    def retire(self, purpose: str) -> None:
        """Let a purpose that ended REVERTED or DROPPED be tried again on a new nonce."""
        self._book.retire(purpose)

    def _replace(self, intent: Intent) -> Outcome:
        waiting = self.observe(intent.purpose)
        if waiting.fate is not Fate.WAITING or waiting.newest is None:
            return waiting
        now, old = self._chain.fees(), waiting.newest
        fees = Fees(max(_eighth_more(old.max_fee), now.max_fee_wei), max(_eighth_more(old.prio), now.tip_wei))
        if waiting.replacements >= BUMPS_MAX or fees.max_fee_wei > FEE_WEI_MAX:
            raise FeeCeiling(
                f"{intent.purpose}: replaced {waiting.replacements} times, next offer {fees.max_fee_wei} wei"
            )
        with self._conn.transaction():
            self._require_lead()
            tx = self._sign(intent, old.nonce, fees)
            self._book.store(tx)
        self._checkpoint("replaced")
        self._send(tx)
        return self.observe(intent.purpose)

    def _prepare(self, intent: Intent) -> StoredTx:
        """Reserve the next nonce and store the signed bytes, in one SQL transaction."""
        used, fees = self._chain.nonce(self.sender), self._chain.fees()
        with self._conn.transaction():
            self._book.lock()
            self._require_lead()
            raced = self._book.of_purpose(intent.purpose)
            if raced:
                return raced[0]
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
        sent = self._chain.send(tx.raw)
        if sent.case is not SendCase.NONCE_TOO_HIGH:
            return sent
        for raw in self._book.open_below(tx.nonce):
            self._chain.send(raw)
        return self._chain.send(tx.raw)

    def _found(self, stored: list[StoredTx], tx: StoredTx, receipt: Receipt, *, final: bool) -> Outcome:
        with self._conn.transaction():
            self._book.unmine(tx.nonce)
            self._book.mark_mined(receipt)
            if final:
                self._book.close(tx.nonce)
        if _is_filler(tx.raw, self.sender):
            return _outcome(Fate.DROPPED if final else Fate.WAITING, stored)
        return _outcome(Fate.MINED if receipt.succeeded else Fate.REVERTED, stored, receipt)

    def _require_lead(self) -> None:
        if self._lease is not None:
            self._lease.require(self._conn)


def _outcome(fate: Fate, stored: list[StoredTx], receipt: Receipt | None = None) -> Outcome:
    return Outcome(fate, stored[0], len(stored) - 1, receipt)


def _eighth_more(wei: int) -> int:
    return -(-wei * 9 // 8)


def _is_filler(raw: bytes, sender: bytes) -> bool:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return bytes(fields["to"]) == sender
