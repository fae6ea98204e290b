"""What one sender wants of the chain, each thing exactly once: a nonce for a purpose, signed, stored, then sent.

Invariants (docs/protocol §5, R3-R6): a nonce serves one purpose for ever; a transaction's bytes are in the database
before any node sees them; a restart sends the same bytes again; a replacement has the same nonce and calldata and pays
an eighth more; a nonce is done only when a finalised block has used it. Whatever nodes answer to a send decides
nothing: what counts is found by `observe`. No SQL transaction is open while node or signer are asked, so the connection
is in autocommit mode. How something is signed is `pen`'s, what has become of it `fates`'. Called by the submitter and
deployment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from settlement import lease as leases
from settlement.chain.client import Chain, Receipt, SendCase, Sent
from settlement.chain.drafts import DraftBook
from settlement.chain.fates import IN_A_BLOCK, Fates
from settlement.chain.gas import Fees, raised
from settlement.chain.intents import FILLER_GAS, Intent, Outcome, intent_of, is_filler
from settlement.chain.nonces import NonceBook, StoredTx
from settlement.chain.pen import ForeignPending, Pen
from settlement.chain.points import Checkpoint, telling, unwatched
from settlement.chain.senders import LocalSigner, TransactionSigner
from settlement.lease import LEASE_S, Lead, Lease
from settlement.steps import BUMPS_MAX, Fate, stuck

__all__ = [
    "Checkpoint",
    "ForeignPending",
    "Intent",
    "LocalSigner",
    "Outbox",
    "Outcome",
    "TransactionSigner",
    "unwatched",
]

COMPLETE_S_MAX = 300.0
COMPLETE_POLL_S = 0.5
GAPS_FILLED_MAX = 64
"""In one drive; each costs a transfer's gas."""


class FeeCeiling(RuntimeError):
    """The next replacement would be the eleventh or offer more than `gas.FEE_WEI_MAX`: a person decides."""


class TransactionFailed(RuntimeError):
    """A transaction that had to succeed did not."""


class NotMinedYet(RuntimeError):
    """The network is slow; nothing is lost, the same call goes on where this one stopped."""


class NotAutocommit(RuntimeError):
    """The connection would hold a transaction open while the network is asked."""


class Outbox:
    """The outgoing transactions of one sender on one chain. `under` is a lease of a longer work that they belong to."""

    def __init__(
        self,
        conn: Connection[Any],
        chain: Chain,
        signer: TransactionSigner,
        *,
        lease: Lease | None = None,
        lease_s: int = LEASE_S,
        under: Lease | None = None,
        checkpoint: Checkpoint = unwatched,
        scope: str = "",
    ) -> None:
        if not conn.autocommit:
            raise NotAutocommit("the outbox needs a connection in autocommit mode")
        self._conn, self._chain, self._signer = conn, chain, signer
        self._lease, self._lease_s, self._checkpoint, self.scope = lease, lease_s, checkpoint, scope
        self._holder = leases.this_process()
        self.sender, self.chain_id = signer.address, chain.chain_id()
        self._lead, self._reached = Lead(conn, lease, lease_s, under), telling(checkpoint)
        self._book = NonceBook(conn, chain_id=self.chain_id, sender=self.sender)
        self._drafts = DraftBook(conn, chain_id=self.chain_id, sender=self.sender)
        self._fates = Fates(conn, chain, sender=self.sender, book=self._book, reached=self._reached)
        self._pen = Pen(
            conn,
            chain,
            signer,
            lead=self._lead,
            book=self._book,
            drafts=self._drafts,
            chain_id=self.chain_id,
            reached=self._reached,
        )

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
                under=self._lead.under,
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
        self._lead.renew()

    def require_lead(self) -> None:
        """In the caller's transaction: what it writes is written as leader. Raises `LeaseLost`."""
        self._lead.require()

    def submit(self, intent: Intent) -> Outcome:
        """Make sure that the intent is signed, stored and sent; what has become of it."""
        stored = self._book.of_purpose(intent.purpose)
        if not stored:
            self._clear_way(intent.purpose)
        tx = stored[0] if stored else self._pen.first(intent)
        if tx is None or tx.done:
            return self.observe(intent.purpose)
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
            elif outcome.fate in {Fate.NEVER, Fate.ASKED, Fate.WAITING}:
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
        """The nonce reserved for a purpose, None while nothing was decided for it."""
        reserved = self._book.reserved(purpose)
        return None if reserved is None else reserved[0]

    def next_nonce(self) -> int:
        """The nonce that the next purpose is going to have; a node that counts too few of ours changes nothing."""
        return self._book.free(used=self._chain.nonce(self.sender))

    def is_signed(self, purpose: str) -> bool:
        """Whether anything is kept for a purpose: then it is what it is, and may be mined."""
        return bool(self._book.of_purpose(purpose))

    def mined(self, purpose: str) -> list[bytes]:
        """The hashes of what was found in a block for a purpose."""
        return [tx.tx_hash for tx in self._book.of_purpose(purpose) if tx.status in IN_A_BLOCK]

    def attempts(self, purpose: str) -> int:
        """How often this purpose came to nothing and was retired."""
        return self._book.retired(purpose)

    def observe(self, purpose: str) -> Outcome:
        """Look for every transaction of a purpose on the chain, and write down what is found."""
        return self._fates.of(purpose)

    def reconcile(self) -> None:
        """Look for everything that is not done; nothing is sent."""
        for purpose in self._book.open_purposes():
            self.observe(purpose)

    def open_purposes(self) -> list[str]:
        """Every purpose whose nonce no finalised block has used, by what was written down last."""
        return self._book.open_purposes()

    def tend(self, *, obsolete: Collection[str], owned: Collection[str]) -> None:
        """Keep the line of nonces moving (R6): what is open is handed over again, what was decided is signed, and the
        nonce of a purpose that is `obsolete` is used up, so that nothing waits behind it. What is `owned` somebody else
        decides about. Nonces that no purpose has, and that others wait behind, are used up first.
        """
        self._fill_gaps()
        for purpose in self._book.open_purposes():
            if purpose in owned:
                continue
            outcome = self.observe(purpose)
            if outcome.fate not in {Fate.ASKED, Fate.WAITING}:
                continue
            if purpose in obsolete or self._book.is_retired(purpose):
                self.void(purpose)
            elif outcome.newest is None:
                self._resume(purpose)
            elif stuck(age_s=outcome.newest.age_s, replacements=outcome.replacements):
                self.bump(purpose)
            else:
                self._send(outcome.newest)

    def bump(self, purpose: str) -> Outcome:
        """Replace what waits by the same call with a higher offer (R4). Raises `FeeCeiling`."""
        return self._replace(purpose, None)

    def void(self, purpose: str) -> Outcome:
        """Use up the nonce of a purpose with an empty transfer to ourselves; then DROPPED proves the purpose dead."""
        waiting, filler = self.observe(purpose), Intent(purpose, self.sender, b"", FILLER_GAS)
        if waiting.fate is Fate.ASKED and (nonce := self.nonce_of(purpose)) is not None:
            return self._sent(purpose, self._pen.instead(nonce, filler, self._chain.fees()))
        if waiting.fate is not Fate.WAITING or waiting.newest is None:
            return waiting
        if not is_filler(waiting.newest.raw, self.sender):
            return self._replace(purpose, filler)
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
        tx = self._pen.instead(old.nonce, other or intent_of(purpose, old.raw), fees)
        self._checkpoint("replaced")
        outcome = self._sent(purpose, tx)
        self._checkpoint("resent")
        return outcome

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
            tx = self._pen.fill(nonce, fees)
            if tx is not None:
                self._send(tx)

    def _clear_way(self, purpose: str) -> None:
        """What was decided before, and is not signed, is signed first: nothing gets past its nonce. What was tried anew
        on another nonce would take effect twice: its first one is used up.
        """
        for other in self._drafts.unsigned():
            if other == purpose or self.observe(other).fate is not Fate.ASKED:
                continue
            if self._book.is_retired(other):
                self.void(other)
            else:
                self._resume(other)

    def _resume(self, purpose: str) -> None:
        """Sign what was decided, and send it; nothing where it is settled by now."""
        tx = self._pen.resume(purpose)
        if tx is not None:
            self._send(tx)

    def _sent(self, purpose: str, tx: StoredTx | None) -> Outcome:
        """What has become of a purpose, once what is kept for it is handed over."""
        if tx is not None:
            self._send(tx)
        return self.observe(purpose)

    def _send(self, tx: StoredTx) -> Sent:
        """Hand the bytes over; where the node misses a lower nonce, send that one's stored bytes first."""
        with self._conn.transaction():
            self._lead.require()
            self._book.mark_sent(tx)
        self._checkpoint("handing")
        sent = self._chain.send(tx.raw)
        if sent.case is not SendCase.NONCE_TOO_HIGH:
            return sent
        for raw in self._book.open_below(tx.nonce):
            self._chain.send(raw)
        return self._chain.send(tx.raw)
