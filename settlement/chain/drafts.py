"""What the signer is being asked: a transaction for a nonce, written down before it is asked and gone when its answer
is kept.

Invariants are the table's (migration 0030): a nonce has at most one draft; each asking gives the draft another number,
and only who holds its number takes it away. So of all signatures that are made for one decision, by whomever they were
asked for, one is kept. `asked_at` is when a signer was asked for this nonce first. Only `pen` writes here; `overview`
reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from settlement.chain.gas import Fees
from settlement.chain.intents import Intent

_PUT = """
INSERT INTO settlement.chain_draft (chain_id, sender, nonce, target, data, gas, max_fee, prio)
VALUES (%(chain_id)s, %(sender)s, %(nonce)s, %(target)s, %(data)s, %(gas)s, %(max_fee)s, %(prio)s)
ON CONFLICT (chain_id, sender, nonce) DO UPDATE SET id = DEFAULT, target = excluded.target, data = excluded.data,
    gas = excluded.gas, max_fee = excluded.max_fee, prio = excluded.prio
RETURNING id
"""
_AGAIN = """
UPDATE settlement.chain_draft AS draft SET id = DEFAULT FROM settlement.chain_nonce AS given
WHERE (draft.chain_id, draft.sender, draft.nonce) = (given.chain_id, given.sender, given.nonce)
    AND given.chain_id = %(chain_id)s AND given.sender = %(sender)s AND given.purpose = %(purpose)s AND NOT given.done
RETURNING draft.id, draft.nonce, draft.target, draft.data, draft.gas, draft.max_fee, draft.prio, given.batch_no
"""
_TAKE = """
DELETE FROM settlement.chain_draft
WHERE chain_id = %(chain_id)s AND sender = %(sender)s AND nonce = %(nonce)s AND id = %(id)s
"""
_UNSIGNED = """
SELECT given.purpose FROM settlement.chain_nonce AS given JOIN settlement.chain_draft USING (chain_id, sender, nonce)
WHERE given.chain_id = %(chain_id)s AND given.sender = %(sender)s AND NOT given.done AND NOT EXISTS (
    SELECT FROM settlement.chain_tx AS tx
    WHERE (tx.chain_id, tx.sender, tx.nonce) = (given.chain_id, given.sender, given.nonce))
ORDER BY given.nonce
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction as it is to be signed; `id` is the number of this asking."""

    id: int
    nonce: int
    intent: Intent
    fees: Fees


class DraftBook:
    """The drafts of one sender on one chain."""

    def __init__(self, conn: Connection[Any], *, chain_id: int, sender: bytes) -> None:
        self._conn = conn
        self._mine: dict[str, Any] = {"chain_id": chain_id, "sender": sender}

    def put(self, nonce: int, intent: Intent, fees: Fees) -> Draft:
        """Decide what this nonce is to be signed for, in place of what was decided and is not signed."""
        wanted = {"target": intent.to, "data": intent.data, "gas": intent.gas}
        offer = {"max_fee": fees.max_fee_wei, "prio": fees.tip_wei}
        row = self._conn.execute(_PUT, {**self._mine, "nonce": nonce, **wanted, **offer}).fetchone()
        assert row is not None, "inserted or updated"
        return Draft(row[0], nonce, intent, fees)

    def again(self, purpose: str) -> Draft | None:
        """The draft of a purpose as it was decided, for another asking: what an earlier one brings is too late."""
        row = self._conn.execute(_AGAIN, {**self._mine, "purpose": purpose}).fetchone()
        if row is None:
            return None
        number, nonce, target, data, gas, max_fee, prio, batch_no = row
        to = None if target is None else bytes(target)
        return Draft(number, nonce, Intent(purpose, to, bytes(data), gas, batch_no), Fees(int(max_fee), int(prio)))

    def take(self, draft: Draft) -> bool:
        """Take it away: it is answered. False where it was decided otherwise, asked again or answered meanwhile."""
        return self._conn.execute(_TAKE, {**self._mine, "nonce": draft.nonce, "id": draft.id}).rowcount == 1

    def unsigned(self) -> list[str]:
        """The purposes that have a nonce and no signature yet, in nonce order: nothing gets past them."""
        return [purpose for (purpose,) in self._conn.execute(_UNSIGNED, self._mine).fetchall()]
