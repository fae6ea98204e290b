"""The invariants of the rule book that stored tables can answer, asked in SQL: the book's arithmetic is not used to
check itself.

`check` reads one snapshot and answers one `Invariant` per statement, held or with how many rows break it and one
example. What SQL cannot ask, that playing the journal again gives the same state, is `ledger.rebuild`. An operator runs
both by `python -m ledger verify`; the demo runs and prints both. What no single ledger can show, that results do not
depend on how commands are grouped into batches, is shown by tests alone. Reading only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]


class Invariant(NamedTuple):
    """`name` as operators know it, `held`, and what was counted or the first thing that breaks it."""

    name: str
    held: bool
    detail: str


# `last` holds each account's last balance, `legs` every leg, `holding` the legs of redemptions held or disputed,
# `backed` for all terms in the mode on_issuance what is in lots or held, the dust, and what was paid into the reserve.
# Family numbers are those of ledger.accounts.Family.
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
), holding AS (
    SELECT r.party AS acceptor, coalesce(s.merged_into, (r.body::json->>'member_no')::bigint) AS member_no,
           (d->>'issuer')::int AS issuer, (d->>'terms_id')::int AS terms_id, (d->>'points')::bigint AS points,
           CASE WHEN (d->>'issuer')::int <> r.party AND (t.command::json->>'mode')::int = 0
                THEN (d->>'au')::bigint ELSE 0 END AS promised
    FROM ledger.record r
    CROSS JOIN json_array_elements(r.body::json->'draws') AS d
    LEFT JOIN ledger.membership s ON s.shard = 0 AND s.member_no = (r.body::json->>'member_no')::bigint
    JOIN ledger.terms n ON n.shard = 0 AND n.terms_id = (d->>'terms_id')::int
    JOIN ledger.journal t ON t.shard = 0 AND t.seq = n.seq
    WHERE r.shard = 0 AND r.kind = 1 AND r.body::json->>'state' IN ('held', 'disputed')
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
    LEFT JOIN (SELECT terms_id, sum(points) AS points FROM holding GROUP BY terms_id) h USING (terms_id)
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
        SELECT 'issuer ' || unit || ' side ' || side
        FROM (
            SELECT unit, balance, (ARRAY['confirmed', 'pending', 'held'])[(family + 1) / 2] AS side
            FROM last WHERE family <= 6
        ) sides GROUP BY unit, side HAVING sum(balance) <> 0
    """,
    "lots-explain-balances": """
        SELECT 'issuer ' || coalesce(a.unit, l.issuer) || ' member ' || coalesce(a.party, l.member_no)
               || ' not held ' || coalesce(a.free, 0) || ' lots ' || coalesce(l.remaining, 0)
        FROM (
            SELECT unit, party, sum(CASE family WHEN 2 THEN balance ELSE -balance END) AS free
            FROM last WHERE family IN (2, 6) GROUP BY unit, party
        ) a
        FULL JOIN (
            SELECT issuer, member_no, sum(remaining) AS remaining FROM ledger.lot
            WHERE shard = 0 AND confirmed_at_ms IS NOT NULL GROUP BY issuer, member_no
        ) l ON l.issuer = a.unit AND l.member_no = a.party
        WHERE greatest(coalesce(a.free, 0), 0) <> coalesce(l.remaining, 0)
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
    "records-explain-held": """
        SELECT 'issuer ' || coalesce(a.unit, h.issuer) || ' member ' || coalesce(a.party, h.member_no)
               || ' held ' || coalesce(a.balance, 0) || ' in redemptions ' || coalesce(h.points, 0)
        FROM (SELECT * FROM last WHERE family = 6) a
        FULL JOIN (SELECT issuer, member_no, sum(points) AS points FROM holding GROUP BY issuer, member_no) h
        ON h.issuer = a.unit AND h.member_no = a.party
        WHERE coalesce(a.balance, 0) <> coalesce(h.points, 0)
    """,
    "records-explain-promised": """
        SELECT 'issuer ' || coalesce(a.party, h.issuer) || ' promised ' || coalesce(-a.balance, 0)
               || ' in redemptions ' || coalesce(h.au, 0)
        FROM (SELECT * FROM last WHERE family = 12 AND party <> 0) a
        FULL JOIN (SELECT issuer, sum(promised) AS au FROM holding GROUP BY issuer) h ON h.issuer = a.party
        WHERE coalesce(-a.balance, 0) <> coalesce(h.au, 0)
    """,
    "holds-resolve-once": """
        SELECT 'merchant ' || coalesce(c.merchant_id, r.merchant_id) || ' redemption ' || coalesce(c.name, r.name)
        FROM (SELECT * FROM ledger.claim WHERE shard = 0 AND used = 1) c
        FULL JOIN (
            SELECT (command::json->>'merchant_id')::int AS merchant_id, command::json->>'redemption' AS name,
                   min(seq) AS seq, count(*) AS times
            FROM ledger.journal WHERE shard = 0 AND verb IN ('capture', 'void', 'lapse_hold') GROUP BY 1, 2
        ) r USING (merchant_id, name)
        WHERE c.seq IS DISTINCT FROM r.seq OR r.times <> 1
    """,
    "no-lot-below-zero": """
        SELECT 'lot ' || seq || '/' || no FROM ledger.lot
        WHERE remaining < 0 OR standing < 0 OR remaining > points OR standing > points
    """,
    "bonuses-are-what-rules-granted": """
        SELECT 'entry ' || coalesce(g.seq, l.seq) || ' granted ' || coalesce(g.points, 0)
               || ' lots ' || coalesce(l.points, 0)
        FROM (
            SELECT j.seq, sum(why.value::bigint) AS points
            FROM ledger.journal j, json_each_text(j.receipt::json->'why') AS why
            WHERE j.shard = 0 AND j.verb IN ('earn', 'observe') AND why.key LIKE 'rule:%:granted' GROUP BY j.seq
        ) g
        FULL JOIN (
            SELECT seq, sum(points) AS points FROM ledger.lot WHERE shard = 0 AND role = 3 GROUP BY seq
        ) l USING (seq)
        WHERE coalesce(g.points, 0) <> coalesce(l.points, 0)
    """,
    "rules-within-budget": """
        SELECT 'rule ' || r.name || ' granted ' || (r.body::json->>'points') || ' of ' || v.budget
        FROM ledger.record r
        JOIN (
            SELECT c->'rule'->>'rule_id' AS name, max((c->'rule'->'caps'->>'budget_points')::bigint) AS budget
            FROM (SELECT command::json AS c FROM ledger.journal WHERE shard = 0 AND verb = 'publish_rule') j GROUP BY 1
        ) v ON v.name = r.name
        WHERE r.shard = 0 AND r.kind = 40 AND (r.body::json->>'points')::bigint > v.budget
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
    "merged-members-hold-nothing": """
        SELECT 'member ' || m.member_no || coalesce(' lot ' || l.seq || '/' || l.no, '')
        FROM ledger.person m
        LEFT JOIN ledger.person i ON i.shard = m.shard AND i.member_no = m.merged_into AND i.merged_into IS NULL
        LEFT JOIN ledger.lot l ON l.shard = m.shard AND l.member_no = m.member_no AND l.remaining <> 0
        LEFT JOIN last a ON a.party = m.member_no AND a.family IN (2, 4, 6) AND a.balance <> 0
        WHERE m.shard = 0 AND m.merged_into IS NOT NULL
          AND (i.member_no IS NULL OR l.seq IS NOT NULL OR a.party IS NOT NULL)
    """,
    "no-member-is-above-itself": """
        WITH RECURSIVE bond AS (
            SELECT p.member_no, coalesce(r.merged_into, r.member_no) AS above
            FROM ledger.person p JOIN ledger.person r ON r.shard = p.shard AND r.member_no = p.referrer_no
            WHERE p.shard = 0 AND p.merged_into IS NULL
        ), climb AS (
            SELECT member_no, above FROM bond UNION
            SELECT c.member_no, b.above FROM climb c JOIN bond b ON b.member_no = c.above
        )
        SELECT 'member ' || member_no FROM climb WHERE above = member_no
    """,
    "rewards-are-the-rule-of-their-basis": """
        SELECT 'entry ' || r.seq || ' leg ' || (leg->>'no')
        FROM (
            SELECT seq, receipt::json->'legs' AS legs FROM ledger.journal
            WHERE shard = 0 AND receipt LIKE '%"kind":8,%'
        ) r
        CROSS JOIN json_array_elements(r.legs) AS leg
        LEFT JOIN (SELECT command::json AS c FROM ledger.journal WHERE shard = 0 AND verb = 'publish_campaign') g
            ON g.c->>'campaign_id' = leg->>'campaign_id'
        LEFT JOIN (SELECT command::json AS c FROM ledger.journal WHERE shard = 0 AND verb = 'publish_terms') t
            ON t.c->>'terms_id' = leg->>'terms_id'
        WHERE (leg->>'kind')::int = 8 AND (
            (leg->>'level')::int NOT IN (1, 2) OR (leg->'ref'->>0)::bigint <> r.seq
            OR r.legs->((leg->'ref'->>1)::int - 1)->>'kind' <> '1'
            OR r.legs->((leg->'ref'->>1)::int - 1)->>'member' = leg->>'member'
            OR (leg->>'points')::numeric IS DISTINCT FROM div(
                least((leg->>'basis')::numeric * (g.c->'level_bps'->>((leg->>'level')::int - 1))::numeric,
                      (g.c->>'reward_au_max')::numeric * 10000) * (t.c->>'au_den')::numeric,
                (t.c->>'au_num')::numeric * 10000)
        )
    """,
    "claw-backs-within-their-legs": """
        SELECT 'entry ' || b.last || ' takes ' || b.points || ' in all from entry ' || b.of || ' leg ' || b.no
        FROM (
            SELECT (leg->'ref'->>0)::bigint AS of, (leg->'ref'->>1)::int AS no, max(seq) AS last,
                   sum((leg->>'points')::numeric) AS points
            FROM ledger.journal CROSS JOIN json_array_elements(receipt::json->'legs') AS leg
            WHERE shard = 0 AND verb = 'refund' AND leg->>'kind' = '3' GROUP BY 1, 2
        ) b
        JOIN ledger.journal j ON j.shard = 0 AND j.seq = b.of
        WHERE b.points > (j.receipt::json->'legs'->(b.no - 1)->>'points')::numeric
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
    "days-are-those-of-the-postings": """
        WITH told AS (
            SELECT family, unit, party, n, amount, (j.at_ms / 86400000)::integer AS day,
                   j.at_ms / 86400000 >= max(j.at_ms / 86400000) OVER (PARTITION BY family, unit, party ORDER BY n)
                   AS in_time
            FROM ledger.posting JOIN ledger.journal j USING (shard, seq)
            WHERE shard = 0 AND seq <= (SELECT seq FROM ledger.projection WHERE shard = 0 AND name = 'day')
        )
        SELECT 'account ' || coalesce(d.family, p.family) || '/' || coalesce(d.unit, p.unit) || '/'
               || coalesce(d.party, p.party) || ' day ' || coalesce(d.day, p.day)
        FROM (SELECT * FROM ledger.day WHERE shard = 0) d
        FULL JOIN (
            SELECT family, unit, party, day, sum(amount) AS amount,
                   min(n) FILTER (WHERE in_time) AS first_n, max(n) FILTER (WHERE in_time) AS last_n
            FROM told GROUP BY family, unit, party, day
        ) p USING (family, unit, party, day)
        WHERE (d.amount, d.first_n, d.last_n) IS DISTINCT FROM (p.amount, p.first_n, p.last_n)
        UNION ALL
        SELECT 'late posting ' || n || ' of account ' || family || '/' || unit || '/' || party
        FROM (SELECT family, unit, party, day, n, true AS noted FROM ledger.late WHERE shard = 0) l
        FULL JOIN (SELECT family, unit, party, day, n, true AS due FROM told WHERE NOT in_time) p
            USING (family, unit, party, day, n)
        WHERE noted IS NULL OR due IS NULL
        UNION ALL
        SELECT 'cursor ' || c.seq || ' beyond the head ' || h.seq
        FROM ledger.projection c JOIN ledger.head h USING (shard) WHERE c.seq > h.seq
    """,
}  # fmt: skip


def check(
    conn: Connection, progress: Callable[[str], None] = lambda _: None, names: Iterable[str] = STATEMENTS
) -> list[Invariant]:
    """Every invariant, or those of these names, over one snapshot; `progress` hears each name first. The connection
    must be idle.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return [_ask(conn, name, progress) for name in names]


def _ask(conn: Connection, name: str, progress: Callable[[str], None]) -> Invariant:
    progress(name)
    count, example = conn.execute(_ASK.format(fault=STATEMENTS[name])).fetchone() or (0, None)
    return Invariant(name, not count, f"{count} broken, for example {example}" if count else "held")
