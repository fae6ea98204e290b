"""Settlement at a glance, for operators' dashboards: batches by state and age, what transactions cost, what is on its
way, what defaults left open, and the last look at chain, collateral and mirrors. From rows alone: whoever reads this
asks no chain.

Everybody above may call it on a connection that may read the schema `settlement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from settlement.tables import Conn
from settlement.watch.claims import Claim, Debt, claims, debts

_STATES = """
SELECT state, count(*), min(batch_no), min(coalesce(sealed_at, opened_at)) FROM settlement.batch
WHERE superseded_by IS NULL GROUP BY state ORDER BY min(batch_no)
"""
_COSTS = """
SELECT split_part(purpose, ':', 1), count(*), coalesce(sum(gas_used), 0), coalesce(sum(gas_used * gas_price), 0)
FROM settlement.chain_nonce JOIN settlement.chain_tx USING (chain_id, sender, nonce)
WHERE status IN ('MINED', 'REVERTED') GROUP BY 1 ORDER BY 1
"""
_ON_THE_WAY = """
SELECT nonce.nonce, nonce.purpose, nonce.batch_no, count(tx.tx_hash), coalesce(max(tx.max_fee), max(draft.max_fee)),
    min(tx.sent_at), min(draft.asked_at)
FROM settlement.chain_nonce AS nonce LEFT JOIN settlement.chain_tx AS tx USING (chain_id, sender, nonce)
    LEFT JOIN settlement.chain_draft AS draft USING (chain_id, sender, nonce)
WHERE NOT nonce.done AND (tx.tx_hash IS NOT NULL OR draft.id IS NOT NULL) GROUP BY 1, 2, 3 ORDER BY 1 LIMIT %s
"""
_LOOK = "SELECT taken_at, body FROM settlement.chain_look"
_ALERTS = """
SELECT severity, count(*) FROM settlement.alert WHERE resolved_at IS NULL GROUP BY severity ORDER BY severity
"""
_CURSOR = """
SELECT block_number, moved_at FROM settlement.chain_cursor WHERE name = (
    SELECT CASE max(first_batch) WHEN 0 THEN 'contracts' ELSE 'contracts@' || max(first_batch) END
    FROM settlement.chain_anchor
)
"""
ON_THE_WAY_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InState:
    """Live batches in one state; `oldest_at` is when the oldest was sealed (Unix seconds, the chain's clock)."""

    state: str
    count: int
    first_no: int
    oldest_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the transactions of one kind have cost so far, those that failed included."""

    kind: str
    count: int
    gas: int
    wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTheWay:
    """A nonce that no finalised block has used yet; `offers` transactions were signed for it. `asked_at` is since when
    its signer is asked for the next one, the first where there is no offer, and None where none is asked for.
    """

    nonce: int
    purpose: str
    batch_no: int | None
    offers: int
    max_fee_wei: int
    sent_at: datetime | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`look` is the body of the last look (settlement.look.Look, bytes as hex), None before the first one."""

    states: list[InState]
    costs: list[Cost]
    on_the_way: list[OnTheWay]
    alerts_open: dict[str, int]
    claims: list[Claim]
    debts: list[Debt]
    watched_block: int | None
    watched_at: datetime | None
    looked_at: datetime | None
    look: dict[str, Any] | None


def overview(conn: Conn) -> Overview:
    """Everything as it stands in the rows now."""
    looked_at, look = conn.execute(_LOOK).fetchone() or (None, None)
    watched_block, watched_at = conn.execute(_CURSOR).fetchone() or (None, None)
    way = conn.execute(_ON_THE_WAY, [ON_THE_WAY_SHOWN_MAX]).fetchall()
    return Overview(
        states=[
            InState(state=state, count=count, first_no=first, oldest_at=oldest)
            for state, count, first, oldest in conn.execute(_STATES).fetchall()
        ],
        costs=[
            Cost(kind=kind, count=count, gas=int(gas), wei=int(wei))
            for kind, count, gas, wei in conn.execute(_COSTS).fetchall()
        ],
        on_the_way=[
            OnTheWay(
                nonce=nonce,
                purpose=purpose,
                batch_no=batch,
                offers=offers,
                max_fee_wei=int(fee),
                sent_at=sent_at,
                asked_at=asked_at,
            )
            for nonce, purpose, batch, offers, fee, sent_at, asked_at in way
        ],
        alerts_open=dict(conn.execute(_ALERTS).fetchall()),
        claims=claims(conn),
        debts=debts(conn),
        watched_block=watched_block,
        watched_at=watched_at,
        looked_at=looked_at,
        look=look,
    )
