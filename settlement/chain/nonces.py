"""The rows behind the outbox: one nonce for one purpose, and every transaction that was ever signed for it and kept.

Invariants are the tables' (migration 0002): a purpose has at most one nonce, a transaction a reserved nonce, a mined
one its block; a nonce for which anything is kept stays. `outbox`, `pen` and `fates` write here; `status` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from settlement.chain.client import Receipt

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('settlement.chain_nonce', 0))"
_OF_PURPOSE = """
SELECT tx.tx_hash, tx.nonce, tx.raw, tx.max_fee, tx.prio, tx.status,
    coalesce(extract(epoch FROM clock_timestamp() - tx.sent_at), 0), nonce.done
FROM settlement.chain_nonce AS nonce JOIN settlement.chain_tx AS tx USING (chain_id, sender, nonce)
WHERE nonce.chain_id = %(chain_id)s AND nonce.sender = %(sender)s AND nonce.purpose = %(purpose)s
ORDER BY tx.max_fee DESC, tx.status <> 'MINED', tx.tx_hash
"""
_NEXT = """
SELECT coalesce(max(nonce) + 1, 0) FROM settlement.chain_nonce WHERE chain_id = %(chain_id)s AND sender = %(sender)s
"""
_FLOOR = """
SELECT coalesce(max(nonce) + 1, 0) FROM settlement.chain_nonce JOIN settlement.chain_tx USING (chain_id, sender, nonce)
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND done AND status IN ('MINED', 'REVERTED')
"""
_FREE = """
WITH taken AS (
    SELECT nonce FROM settlement.chain_nonce
    WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce >= %(first)s
)
SELECT at FROM (SELECT %(first)s::bigint AS at UNION ALL SELECT nonce + 1 FROM taken) AS candidate
WHERE at NOT IN (SELECT nonce FROM taken) ORDER BY at LIMIT 1
"""
_BEHIND = """
WITH taken AS (
    SELECT nonce, lag(nonce, 1, %(first)s::bigint - 1) OVER (ORDER BY nonce) AS before FROM settlement.chain_nonce
    WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce >= %(first)s
)
SELECT at FROM taken, LATERAL generate_series(before + 1, nonce - 1) AS at ORDER BY at LIMIT %(limit)s
"""
_RESERVE = """
INSERT INTO settlement.chain_nonce (chain_id, sender, nonce, purpose, batch_no)
VALUES (%(chain_id)s, %(sender)s, %(nonce)s, %(purpose)s, %(batch_no)s)
"""
_RESERVED = """
SELECT nonce, done FROM settlement.chain_nonce
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND purpose = %(purpose)s
"""
_RELEASE = """
DELETE FROM settlement.chain_nonce AS given
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s AND NOT EXISTS (
    SELECT FROM settlement.chain_tx AS tx
    WHERE (tx.chain_id, tx.sender, tx.nonce) = (given.chain_id, given.sender, given.nonce))
"""
_IS_SIGNED = """
SELECT EXISTS (
    SELECT FROM settlement.chain_tx WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s)
"""
_BEHIND_SENT = """
SELECT max(nonce), coalesce(floor(extract(epoch FROM clock_timestamp() - min(sent_at))), 0)::bigint
FROM settlement.chain_tx
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce > %(nonce)s AND status = 'SENT'
"""
_STORE = """
INSERT INTO settlement.chain_tx (tx_hash, chain_id, sender, nonce, raw, max_fee, prio, status)
VALUES (%(tx_hash)s, %(chain_id)s, %(sender)s, %(nonce)s, %(raw)s, %(max_fee)s, %(prio)s, 'SIGNED')
ON CONFLICT (tx_hash) DO NOTHING
"""
_MARK_SENT = """
UPDATE settlement.chain_tx SET status = 'SENT', sent_at = coalesce(sent_at, clock_timestamp())
WHERE tx_hash = %(tx_hash)s AND status = 'SIGNED'
"""
_MARK_MINED = """
UPDATE settlement.chain_tx
SET status = %(status)s, block_hash = %(block_hash)s, block_number = %(block_number)s, gas_used = %(gas_used)s,
    gas_price = %(gas_price)s
WHERE tx_hash = %(tx_hash)s
"""
_UNMINE = """
UPDATE settlement.chain_tx
SET status = 'SENT', block_hash = NULL, block_number = NULL, gas_used = NULL, gas_price = NULL
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s AND status IN ('MINED', 'REVERTED')
"""
_DROP = """
UPDATE settlement.chain_tx SET status = 'DROPPED'
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s AND status IN ('SIGNED', 'SENT')
"""
_DONE = """
UPDATE settlement.chain_nonce SET done = true
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s
"""
_NOT_DONE = """
UPDATE settlement.chain_nonce SET done = false
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s
"""
_REOPEN = """
WITH again AS (
    UPDATE settlement.chain_nonce AS nonce SET done = false
    WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce >= %(used)s AND done AND NOT EXISTS (
        SELECT 1 FROM settlement.chain_tx AS tx WHERE tx.chain_id = nonce.chain_id AND tx.sender = nonce.sender
            AND tx.nonce = nonce.nonce AND tx.status IN ('MINED', 'REVERTED'))
    RETURNING chain_id, sender, nonce
)
UPDATE settlement.chain_tx AS tx SET status = CASE WHEN sent_at IS NULL THEN 'SIGNED' ELSE 'SENT' END
FROM again WHERE tx.chain_id = again.chain_id AND tx.sender = again.sender AND tx.nonce = again.nonce
"""
_OPEN_BELOW = """
SELECT DISTINCT ON (nonce) tx.raw
FROM settlement.chain_nonce JOIN settlement.chain_tx AS tx USING (chain_id, sender, nonce)
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce < %(nonce)s AND NOT done
ORDER BY nonce, tx.max_fee DESC
"""
_OPEN = """
SELECT purpose FROM settlement.chain_nonce WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND NOT done
ORDER BY nonce
"""
_OPEN_OF_ALL = """
SELECT sender, purpose FROM settlement.chain_nonce
WHERE chain_id = %(chain_id)s AND NOT done AND starts_with(purpose, %(prefix)s) ORDER BY sender, nonce
"""
_RETIRE = """
UPDATE settlement.chain_nonce SET purpose = purpose || %(mark)s || nonce
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND purpose = %(purpose)s
"""
_EVER = """
SELECT nonce FROM settlement.chain_nonce
WHERE chain_id = %(chain_id)s AND sender = %(sender)s
    AND (purpose = %(purpose)s OR starts_with(purpose, %(purpose)s || %(mark)s))
"""
_RETIRED = """
SELECT count(*) FROM settlement.chain_nonce
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND starts_with(purpose, %(purpose)s || %(mark)s)
"""
FAILED, FOLLOWED = "#", "+"
"""What stands between a purpose and the nonce that was its own: it came to nothing, or another call followed."""


@dataclass(frozen=True, slots=True)
class StoredTx:
    """One signed transaction; `age_s` since it was first sent, 0 if it never was; `done` when a finalised block has
    used its nonce, by it or by another one.
    """

    tx_hash: bytes
    nonce: int
    raw: bytes
    max_fee: int
    prio: int
    status: str
    age_s: float
    done: bool = False


class NonceBook:
    """The rows of one sender on one chain."""

    def __init__(self, conn: Connection[Any], *, chain_id: int, sender: bytes) -> None:
        self._conn = conn
        self._mine: dict[str, Any] = {"chain_id": chain_id, "sender": sender}

    def of_purpose(self, purpose: str) -> list[StoredTx]:
        """Every transaction signed for a purpose, the best paying first."""
        rows = self._conn.execute(_OF_PURPOSE, {**self._mine, "purpose": purpose}).fetchall()
        return [
            StoredTx(bytes(tx_hash), nonce, bytes(raw), int(max_fee), int(prio), status, float(age_s), done)
            for tx_hash, nonce, raw, max_fee, prio, status, age_s, done in rows
        ]

    def lock(self) -> None:
        """Until the transaction ends nobody else reserves a nonce."""
        self._conn.execute(_LOCK)

    def next(self) -> int:
        """The first nonce that no purpose has."""
        row = self._conn.execute(_NEXT, self._mine).fetchone()
        return int(row[0]) if row else 0

    def gaps(self, *, used: int, limit: int) -> list[int]:
        """Nonces that no purpose has and that others wait behind, ascending; `used` is how many the chain has seen."""
        rows = self._conn.execute(_BEHIND, {**self._mine, "first": max(used, self._floor()), "limit": limit}).fetchall()
        return [int(nonce) for (nonce,) in rows]

    def free(self, *, used: int) -> int:
        """The lowest nonce that no purpose has; `used` is how many the chain has seen.

        One that stands before others, because a node once said too high a number, is taken first: they wait for it.
        """
        first = max(used, self._floor())
        (nonce,) = self._conn.execute(_FREE, {**self._mine, "first": first}).fetchone() or (first,)
        return int(nonce)

    def reserve(self, purpose: str, *, batch_no: int | None, used: int) -> int:
        """The nonce that is `free`, now this purpose's. Under `lock`."""
        nonce = self.free(used=used)
        self._conn.execute(_RESERVE, {**self._mine, "nonce": nonce, "purpose": purpose, "batch_no": batch_no})
        return nonce

    def reserved(self, purpose: str) -> tuple[int, bool] | None:
        """The nonce of a purpose, and whether a finalised block has used it; None where it has none."""
        row = self._conn.execute(_RESERVED, {**self._mine, "purpose": purpose}).fetchone()
        return None if row is None else (int(row[0]), row[1])

    def is_signed(self, nonce: int) -> bool:
        """Whether anything that was signed for a nonce is kept."""
        row = self._conn.execute(_IS_SIGNED, {**self._mine, "nonce": nonce}).fetchone()
        return row is not None and bool(row[0])

    def sent_behind(self, nonce: int) -> tuple[int, int] | None:
        """The highest nonce of what was sent and waits behind this one, and for how many seconds the first of it does;
        None where nothing does.
        """
        row = self._conn.execute(_BEHIND_SENT, {**self._mine, "nonce": nonce}).fetchone()
        return None if row is None or row[0] is None else (int(row[0]), int(row[1]))

    def release(self, nonce: int) -> None:
        """Give a nonce back that nothing is kept for; one that has anything stays with its purpose."""
        self._conn.execute(_RELEASE, {**self._mine, "nonce": nonce})

    def _floor(self) -> int:
        """Below this the chain has used every nonce, whatever a node says now: our own transactions were seen there."""
        row = self._conn.execute(_FLOOR, self._mine).fetchone()
        return int(row[0]) if row else 0

    def store(self, tx: StoredTx) -> None:
        """Keep signed bytes."""
        fields = {"tx_hash": tx.tx_hash, "nonce": tx.nonce, "raw": tx.raw, "max_fee": tx.max_fee, "prio": tx.prio}
        self._conn.execute(_STORE, {**self._mine, **fields})

    def mark_sent(self, tx: StoredTx) -> None:
        """It is about to be handed to a node."""
        self._conn.execute(_MARK_SENT, {"tx_hash": tx.tx_hash})

    def mark_mined(self, receipt: Receipt) -> None:
        """It is in this block, which may still be reorganised away."""
        status = "MINED" if receipt.succeeded else "REVERTED"
        place = {"block_hash": receipt.block_hash, "block_number": receipt.block_number}
        cost = {"gas_used": receipt.gas_used, "gas_price": receipt.gas_price}
        self._conn.execute(_MARK_MINED, {"tx_hash": receipt.tx_hash, "status": status, **place, **cost})

    def unmine(self, nonce: int) -> None:
        """The block that held it is gone."""
        self._conn.execute(_UNMINE, {**self._mine, "nonce": nonce})

    def close(self, nonce: int) -> None:
        """A finalised block has used the nonce: what is not mined now never will be."""
        self._conn.execute(_DROP, {**self._mine, "nonce": nonce})
        self._conn.execute(_DONE, {**self._mine, "nonce": nonce})

    def undo(self, nonce: int) -> None:
        """The block that used it was final and is gone all the same."""
        self.unmine(nonce)
        self._conn.execute(_NOT_DONE, {**self._mine, "nonce": nonce})

    def reopen(self, *, used: int) -> None:
        """Nonces that were taken for used by others, and that the chain has not come to: a node once counted too high.
        `used` is how many the chain has seen.
        """
        self._conn.execute(_REOPEN, {**self._mine, "used": used})

    def open_below(self, nonce: int) -> list[bytes]:
        """The best paying bytes of every lower nonce that is not done, ascending."""
        rows = self._conn.execute(_OPEN_BELOW, {**self._mine, "nonce": nonce}).fetchall()
        return [bytes(raw) for (raw,) in rows]

    def open_purposes(self) -> list[str]:
        """Every purpose whose nonce no finalised block has used yet, in nonce order."""
        return [purpose for (purpose,) in self._conn.execute(_OPEN, self._mine).fetchall()]

    def ever(self, purpose: str) -> list[int]:
        """Every nonce that this purpose has or had."""
        rows = self._conn.execute(_EVER, {**self._mine, "purpose": purpose, "mark": FAILED}).fetchall()
        return [int(nonce) for (nonce,) in rows]

    def retire(self, purpose: str) -> None:
        """Rename a purpose that ended without its effect, so that it may have a new nonce."""
        self._conn.execute(_RETIRE, {**self._mine, "purpose": purpose, "mark": FAILED})

    def follow(self, purpose: str) -> None:
        """Rename a purpose that had its effect and takes one more call."""
        self._conn.execute(_RETIRE, {**self._mine, "purpose": purpose, "mark": FOLLOWED})

    @staticmethod
    def is_retired(purpose: str) -> bool:
        """Whether this is the name of a purpose that was given another nonce because it failed with this one."""
        return FAILED in purpose

    def retired(self, purpose: str) -> int:
        """How many nonces this purpose has used up in vain."""
        row = self._conn.execute(_RETIRED, {**self._mine, "purpose": purpose, "mark": FAILED}).fetchone()
        return int(row[0]) if row else 0


def open_purposes(conn: Connection[Any], *, chain_id: int, prefix: str) -> list[tuple[bytes, str]]:
    """(sender, purpose) of whatever begins so and whose nonce no finalised block has used yet, whoever sent it."""
    rows = conn.execute(_OPEN_OF_ALL, {"chain_id": chain_id, "prefix": prefix}).fetchall()
    return [(bytes(sender), purpose) for sender, purpose in rows]
