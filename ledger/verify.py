"""Every invariant of the rule book, asked of the stored tables in SQL: the book's arithmetic is not used to check
itself.

`check` reads one snapshot and answers one `Invariant` per statement, held or with how many rows break it and one
example. What SQL cannot ask, that playing the journal again gives the same state, is `ledger.rebuild`. An operator runs
both by `python -m ledger verify`; the demo prints them. Reading only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]


class Invariant(NamedTuple):
    """`name` as operators know it, `held`, and what was counted or the first thing that breaks it."""

    name: str
    held: bool
    detail: str


# `last` holds each account's last balance, `legs` every leg, `backed` for all terms in the mode on_issuance what is in
# lots or held, the dust, and what was paid into the reserve. Family numbers are those of ledger.accounts.Family.
# Every statement answers one row per thing that is wrong.
_ASK = """
WITH last AS (
    SELECT DISTINCT ON (family, unit, party) family, unit, party, balance
    FROM ledger.posting WHERE shard = 0 ORDER BY family, unit, party, n DESC
), legs AS (
    SELECT j.seq, (leg->>'kind')::int AS kind, (leg->>'issuer')::bigint AS issuer,
           coalesce((leg->>'points')::bigint, 0) AS points, coalesce((leg->>'terms_id')::int, 0) AS terms_id,
           coalesce((leg->>'au')::bigint, 0) AS au
    FROM ledger.journal j, json_array_elements(j.receipt::json->'legs') AS leg WHERE j.shard = 0
), backed AS (
    SELECT r.terms_id, r.num, r.den, coalesce(l.points, 0) + coalesce(h.points, 0) AS there,
           coalesce(d.balance, 0) AS dust, coalesce(p.au, 0) AS paid
    FROM (
        SELECT t.terms_id, (j.command::json->>'au_num')::bigint AS num, (j.command::json->>'au_den')::bigint AS den
        FROM ledger.terms t JOIN ledger.journal j ON j.shard = t.shard AND j.seq = t.seq
        WHERE t.shard = 0 AND j.command::json->>'mode' = '1'
    ) r
    LEFT JOIN (
        SELECT terms_id, sum(remaining) AS points FROM ledger.lot
        WHERE shard = 0 AND confirmed_at_ms IS NOT NULL GROUP BY terms_id
    ) l USING (terms_id)
    LEFT JOIN (
        SELECT (draw->>'terms_id')::int AS terms_id, sum((draw->>'points')::bigint) AS points
        FROM ledger.record, json_array_elements(body::json->'draws') AS draw
        WHERE shard = 0 AND kind = 1 AND body::json->>'state' IN ('held', 'disputed') GROUP BY 1
    ) h USING (terms_id)
    LEFT JOIN (SELECT -unit AS terms_id, balance FROM last WHERE family = 10) d USING (terms_id)
    LEFT JOIN (
        SELECT terms_id, sum(CASE WHEN kind IN (1, 4, 7, 8, 10) THEN au ELSE -au END) AS au FROM legs GROUP BY terms_id
    ) p USING (terms_id)
), broken (fault) AS ({fault})
SELECT count(*), min(fault) FROM broken
"""
STATEMENTS: dict[str, str] = {
    "journal-gapless": """
        SELECT 'head ' || h.seq || ', entries ' || count(j.seq) || ', last ' || coalesce(max(j.seq), 0)
        FROM ledger.head h LEFT JOIN ledger.journal j ON j.shard = h.shard WHERE h.shard = 0
        GROUP BY h.seq HAVING count(j.seq) <> h.seq OR coalesce(max(j.seq), 0) <> h.seq
    """,
    "debits-equal-credits": """
        SELECT 'entry ' || seq || ' unit ' || unit || ' sums to ' || sum(amount)
        FROM ledger.posting WHERE shard = 0 GROUP BY seq, unit HAVING sum(amount) <> 0
    """,
    "running-balances-gapless": """
        SELECT 'account ' || family || '/' || unit || '/' || party || ' posting ' || n
        FROM (
            SELECT *, row_number() OVER w AS expected_n, sum(amount) OVER w AS expected_balance,
                   lag(seq, 1, 0::bigint) OVER w AS before
            FROM ledger.posting WHERE shard = 0 WINDOW w AS (PARTITION BY family, unit, party ORDER BY n)
        ) p WHERE n <> expected_n OR balance <> expected_balance OR seq < before
    """,
    "postings-are-those-of-the-receipts": """
        SELECT 'entry ' || coalesce(p.seq, r.seq) || ' account ' || coalesce(p.family, r.family) || '/'
               || coalesce(p.unit, r.unit) || '/' || coalesce(p.party, r.party) || ' posting ' || coalesce(p.n, r.n)
        FROM (SELECT * FROM ledger.posting WHERE shard = 0) p
        FULL JOIN (
            SELECT j.seq, (e->0->>0)::int AS family, (e->0->>1)::int AS unit, (e->0->>2)::bigint AS party,
                   (e->>1)::bigint AS n, (e->>2)::int AS leg, (e->>3)::bigint AS amount, (e->>4)::bigint AS balance
            FROM ledger.journal j, json_array_elements(j.receipt::json->'postings') AS e WHERE j.shard = 0
        ) r USING (family, unit, party, n)
        WHERE (p.seq, p.leg, p.amount, p.balance) IS DISTINCT FROM (r.seq, r.leg, r.amount, r.balance)
    """,
    "positions-sum-to-zero": """
        SELECT 'sum ' || sum(CASE WHEN family = 9 THEN -balance ELSE balance END)
        FROM last WHERE family IN (7, 8) OR (family = 9 AND party <> 0)
        HAVING sum(CASE WHEN family = 9 THEN -balance ELSE balance END) <> 0
    """,
    "members-equal-outstanding": """
        SELECT 'issuer ' || unit || ' side ' || CASE WHEN family IN (1, 2) THEN 'confirmed' ELSE 'pending' END
        FROM last WHERE family IN (1, 2, 3, 4)
        GROUP BY unit, CASE WHEN family IN (1, 2) THEN 'confirmed' ELSE 'pending' END HAVING sum(balance) <> 0
    """,
    "lots-explain-balances": """
        SELECT 'issuer ' || coalesce(a.unit, l.issuer) || ' member ' || coalesce(a.party, l.member_no)
               || ' balance ' || coalesce(a.balance, 0) || ' lots ' || coalesce(l.remaining, 0)
        FROM (SELECT * FROM last WHERE family = 2) a
        FULL JOIN (
            SELECT issuer, member_no, sum(remaining) AS remaining FROM ledger.lot
            WHERE shard = 0 AND confirmed_at_ms IS NOT NULL GROUP BY issuer, member_no
        ) l ON l.issuer = a.unit AND l.member_no = a.party
        WHERE greatest(coalesce(a.balance, 0), 0) <> coalesce(l.remaining, 0)
    """,
    "pending-lots-explain-pending": """
        SELECT 'issuer ' || coalesce(a.unit, l.issuer) || ' member ' || coalesce(a.party, l.member_no)
        FROM (SELECT * FROM last WHERE family = 4) a
        FULL JOIN (
            SELECT issuer, member_no, sum(remaining) AS remaining FROM ledger.lot
            WHERE shard = 0 AND confirmed_at_ms IS NULL GROUP BY issuer, member_no
        ) l ON l.issuer = a.unit AND l.member_no = a.party
        WHERE coalesce(a.balance, 0) <> coalesce(l.remaining, 0)
    """,
    "no-lot-below-zero": """
        SELECT 'lot ' || seq || '/' || no FROM ledger.lot
        WHERE remaining < 0 OR standing < 0 OR remaining > points OR standing > points
    """,
    "refunds-within-orders": """
        SELECT 'merchant ' || o.merchant_id || ' order ' || o.name
        FROM (SELECT * FROM ledger.orders WHERE shard = 0) o
        FULL JOIN (
            SELECT (c->>'merchant_id')::int AS merchant_id, c->>'order' AS name,
                   sum((c->>'amount_minor')::bigint) AS total
            FROM (SELECT command::json AS c FROM ledger.journal WHERE shard = 0 AND verb = 'refund') j
            WHERE c->>'order' IS NOT NULL GROUP BY 1, 2
        ) r USING (merchant_id, name)
        LEFT JOIN (
            SELECT (command::json->>'order_merchant_id')::int AS merchant_id, command::json->>'order' AS name,
                   true AS cancelled
            FROM ledger.journal WHERE shard = 0 AND verb = 'cancel_pending'
        ) c USING (merchant_id, name)
        WHERE o.refunded_minor IS DISTINCT FROM
              CASE WHEN c.cancelled THEN o.amount_minor ELSE coalesce(r.total, 0) END
           OR o.refunded_minor > o.amount_minor OR r.total > o.amount_minor
    """,
    "issuer-roll-forward-closes": """
        SELECT 'issuer ' || coalesce(a.unit, l.issuer) || ' outstanding ' || coalesce(-a.balance, 0)
               || ' issued less used ' || coalesce(l.closing, 0)
        FROM (SELECT * FROM last WHERE family = 1) a
        FULL JOIN (
            SELECT issuer, sum(CASE WHEN kind IN (1, 4, 7, 8, 10, 15) THEN points ELSE -points END) AS closing
            FROM legs WHERE points <> 0 GROUP BY issuer
        ) l ON l.issuer = a.unit
        WHERE coalesce(-a.balance, 0) <> coalesce(l.closing, 0)
    """,
    "reserve-equals-positive-lots": """
        SELECT 'terms ' || terms_id || ' reserve ' || paid || ' AU times ' || den || ', lots ' || there || ' times '
               || num || ' and dust ' || dust
        FROM backed WHERE paid * den <> there * num + dust
        UNION ALL
        SELECT 'reserve ' || coalesce((SELECT balance FROM last WHERE family = 7 AND party = 900000002), 0)
               || ' paid in ' || coalesce(sum(paid), 0) FROM backed
        HAVING coalesce(sum(paid), 0) <> coalesce((SELECT balance FROM last WHERE family = 7 AND party = 900000002), 0)
    """,
    "keys-answer-their-entries": """
        SELECT 'entry ' || coalesce(a.seq, j.seq) || ' key ' || coalesce(a.key, '')
        FROM (SELECT * FROM ledger.answer WHERE shard = 0 AND seq IS NOT NULL) a
        FULL JOIN (SELECT seq, command::json->>'key' AS key FROM ledger.journal WHERE shard = 0) j USING (seq)
        WHERE a.key IS DISTINCT FROM j.key
    """,
    "refusals-leave-no-trace": """
        SELECT 'key ' || a.key FROM ledger.answer a
        JOIN ledger.journal j ON j.shard = a.shard AND j.command = a.command
        WHERE a.shard = 0 AND a.seq IS NULL
    """,
}  # fmt: skip


def check(conn: Connection, progress: Callable[[str], None] = lambda _: None) -> list[Invariant]:
    """Every invariant, over one snapshot; `progress` hears each name first. The connection must be idle."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return [_ask(conn, name, progress) for name in STATEMENTS]


def _ask(conn: Connection, name: str, progress: Callable[[str], None]) -> Invariant:
    progress(name)
    count, example = conn.execute(_ASK.format(fault=STATEMENTS[name])).fetchone() or (0, None)
    return Invariant(name, not count, f"{count} broken, for example {example}" if count else "held")
