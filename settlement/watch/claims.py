"""What defaults left open, and what became of it: each creditor's cut and claim, what of it was recovered and
collected, and what each defaulter still owes.

From the watcher's rows of final blocks alone; base units. A creditor's part of what was recovered is the contract's own
rule, floor(claim x recovered / claims): whoever collects gets that, less what was collected before. What is recovered
beyond all claims belongs to the fund and then to the bond. Read by `overview`, for dashboards, and by `reconcile`.
Source: protocol §4.6.
"""

from __future__ import annotations

from dataclasses import dataclass

from settlement.tables import Conn

SHOWN_MAX = 500

_CLAIMS = """
WITH told AS (
    SELECT batch_no, merchant_id, name, amount, fields FROM settlement.chain_event WHERE contract = 'GuaranteeFund'
        AND name IN ('LossAllocated', 'LossCovered', 'DebtRepaid', 'ClaimCollected')
), pool AS (
    SELECT batch_no, coalesce(sum((fields->>'left')::numeric) FILTER (WHERE name = 'LossCovered'), 0) AS claims,
        coalesce(sum(amount) FILTER (WHERE name = 'DebtRepaid'), 0) AS recovered
    FROM told GROUP BY batch_no
), claim AS (
    SELECT batch_no, merchant_id, coalesce(sum(amount) FILTER (WHERE name = 'LossAllocated'), 0) AS cut,
        coalesce(sum(amount) FILTER (WHERE name = 'ClaimCollected'), 0) AS collected
    FROM told WHERE name IN ('LossAllocated', 'ClaimCollected') GROUP BY batch_no, merchant_id
)
SELECT batch_no, merchant_id, cut, CASE WHEN claims = 0 THEN 0 ELSE div(cut * least(recovered, claims), claims) END,
    collected
FROM claim JOIN pool USING (batch_no) WHERE cut > 0 ORDER BY collected < cut DESC, batch_no DESC, merchant_id LIMIT %s
"""
_DEBTS = """
SELECT * FROM (
    SELECT batch_no, merchant_id, coalesce(sum(amount) FILTER (WHERE name = 'Defaulted'), 0) AS missing,
        coalesce(sum(amount) FILTER (WHERE name = 'DebtRepaid'), 0) AS repaid
    FROM settlement.chain_event WHERE contract = 'GuaranteeFund' AND name IN ('Defaulted', 'DebtRepaid')
    GROUP BY batch_no, merchant_id
) AS debt ORDER BY missing > repaid DESC, batch_no DESC, merchant_id LIMIT %s
"""
_OWED = """
SELECT merchant_id, sum(CASE name WHEN 'Defaulted' THEN amount ELSE -amount END) FROM settlement.chain_event
WHERE contract = 'GuaranteeFund' AND name IN ('Defaulted', 'DebtRepaid') GROUP BY merchant_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one creditor lost in a batch and has a claim to, its part of what was recovered since, and what of that
    it has collected. A default is known by its batch.
    """

    default_id: int
    creditor_id: int
    cut: int
    recovered: int
    collected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What one defaulter lacked in a batch beyond its own shares of the fund, and what it has repaid since."""

    default_id: int
    merchant_id: int
    missing: int
    repaid: int


def owed(conn: Conn) -> dict[int, int]:
    """What each merchant that ever defaulted still owes, over all its defaults."""
    rows = conn.execute(_OWED).fetchall()
    return {merchant_id: int(amount) for merchant_id, amount in rows}


def claims(conn: Conn) -> list[Claim]:
    """The claims, open ones first, then the newest defaults."""
    rows = conn.execute(_CLAIMS, [SHOWN_MAX]).fetchall()
    return [
        Claim(default_id=default, creditor_id=creditor, cut=int(cut), recovered=int(recovered), collected=int(got))
        for default, creditor, cut, recovered, got in rows
    ]


def debts(conn: Conn) -> list[Debt]:
    """The debts, open ones first, then the newest defaults."""
    rows = conn.execute(_DEBTS, [SHOWN_MAX]).fetchall()
    return [
        Debt(default_id=default, merchant_id=merchant, missing=int(missing), repaid=int(repaid))
        for default, merchant, missing, repaid in rows
    ]
