"""The statements that fill a slice: an index probe per element of array parameters, whatever the batch's size.

`LIMIT 1` and `OFFSET 0` keep a lateral subquery what it says: one probe per row, never planned as a join. Statements
are put together from constants of this file; values travel as parameters. `ledger.storage.loading`, `ledger.store` and
`ledger.queries` send them.
"""

from __future__ import annotations

ORDER_COLUMNS = 12
"""How many columns of ORDERS are the order's; then come who paid, one of its lots, whose the lot is."""
LOT_COLUMNS = 14
AFTER_ORDER = ((12, 21), (21, 35), (35, 44))

ANSWERS = r"""
SELECT a.key, a.seq IS NOT NULL, coalesce(a.command, j.command), coalesce(a.body, j.receipt)
FROM unnest(string_to_array(%s, E'\n')) AS asked (key)
CROSS JOIN LATERAL (SELECT * FROM ledger.answer WHERE shard = 0 AND key = asked.key LIMIT 1) a
LEFT JOIN LATERAL (SELECT command, receipt FROM ledger.journal WHERE shard = 0 AND seq = a.seq LIMIT 1) j ON true
"""

REGISTRY = """
SELECT command FROM ledger.journal
WHERE shard = 0 AND seq IN (SELECT seq FROM ledger.configuration WHERE shard = 0) ORDER BY seq
"""
REGISTRY_AT = """
SELECT command FROM ledger.journal
WHERE shard = 0 AND seq IN (SELECT seq FROM ledger.configuration WHERE shard = 0 AND seq <= %s) ORDER BY seq
"""

PERSON_COLUMNS = 9
"""How many columns a person has, wherever one stands in a row."""
_PERSON = """
{0}.member_no, {0}.name, {0}.bonded, {0}.referrer_no, {0}.merged_into, {0}.frozen, {0}.closed, {0}.tier,
{0}.tier_since_ms
"""
# The members of these names and everybody they lead to: whom they were merged into, who stands above them.
MEMBERS = rf"""
WITH RECURSIVE person AS (
    SELECT p.* FROM unnest(string_to_array(%s, E'\n')) AS asked (name)
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND name = asked.name LIMIT 1) p
    UNION
    SELECT p.* FROM person q
    CROSS JOIN LATERAL (VALUES (q.referrer_no), (q.merged_into)) AS next (member_no)
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = next.member_no LIMIT 1) p
)
SELECT {_PERSON.format("person")} FROM person
"""  # noqa: S608

CLAIMS = r"""
SELECT c.used, c.merchant_id, c.name, c.seq
FROM unnest(%s::smallint[], %s::integer[], string_to_array(%s, E'\n')) AS asked (used, merchant_id, name)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.claim
    WHERE shard = 0 AND merchant_id = asked.merchant_id AND used = asked.used AND name = asked.name LIMIT 1
) c
"""

_ASKED_ORDERS = r"""
FROM unnest(%s::integer[], string_to_array(%s, E'\n')) AS asked (merchant_id, name)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.orders WHERE shard = 0 AND merchant_id = asked.merchant_id AND name = asked.name LIMIT 1
) o
"""
RECORDS = r"""
SELECT r.kind, r.party, r.name, r.body
FROM unnest(%s::smallint[], %s::integer[], string_to_array(%s, E'\n')) AS asked (kind, party, name)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.record
    WHERE shard = 0 AND party = asked.party AND kind = asked.kind AND name = asked.name LIMIT 1
) r
"""

_LOT = """
l.seq, l.no, l.issuer, l.member_no, m.name, l.terms_id, l.role, l.points,
l.standing, l.remaining, l.confirmed_at_ms, l.expires_at_ms, l.earned_seq, l.earned_leg
"""
ORDERS = f"""
SELECT o.merchant_id, o.name, o.seq, o.at_ms, o.member_no, o.amount_minor, o.terms_id, o.fee_bps,
       o.campaign_id, o.confirm_from_ms, o.refunded_minor, o.confirmed_at_ms,
       {_PERSON.format("payer")}, {_LOT}, {_PERSON.format("m")}
{_ASKED_ORDERS}
CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = o.member_no LIMIT 1) payer
LEFT JOIN LATERAL (SELECT * FROM ledger.lot WHERE shard = 0 AND seq = o.seq OFFSET 0) l ON true
LEFT JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = l.member_no LIMIT 1) m ON true
ORDER BY l.seq, l.no
"""  # noqa: S608

LOTS = f"""
SELECT {_LOT}, {_PERSON.format("m")}
FROM unnest(%s::bigint[], %s::smallint[]) AS asked (seq, no)
CROSS JOIN LATERAL (SELECT * FROM ledger.lot WHERE shard = 0 AND seq = asked.seq AND no = asked.no LIMIT 1) l
CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = l.member_no LIMIT 1) m
"""  # noqa: S608

# A spender is whom a name or an order's lot means today; a lot's row carries its owner, who is the spender.
OPEN_LOTS = rf"""
WITH spender AS (
    SELECT coalesce(p.merged_into, p.member_no) AS member_no
    FROM unnest(string_to_array(%s, E'\n')) AS asked (name)
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND name = asked.name LIMIT 1) p
    UNION
    SELECT coalesce(p.merged_into, l.member_no)
    {_ASKED_ORDERS}
    CROSS JOIN LATERAL (SELECT member_no FROM ledger.lot WHERE shard = 0 AND seq = o.seq OFFSET 0) l
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = l.member_no LIMIT 1) p
)
SELECT {_PERSON.format("m")}, {_LOT}
FROM spender
CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = spender.member_no LIMIT 1) m
LEFT JOIN LATERAL (
    SELECT * FROM ledger.lot WHERE shard = 0 AND member_no = spender.member_no AND open OFFSET 0
) l ON true
"""  # noqa: S608

# Everybody who was merged into whom these names mean, and everybody of these numbers.
MERGED = rf"""
WITH asked AS (
    SELECT DISTINCT coalesce(p.merged_into, p.member_no) AS member_no
    FROM unnest(string_to_array(%s, E'\n')) AS asked (name)
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND name = asked.name LIMIT 1) p
), account AS (
    SELECT s.member_no FROM asked
    CROSS JOIN LATERAL (SELECT * FROM ledger.membership WHERE shard = 0 AND merged_into = asked.member_no OFFSET 0) s
    UNION
    SELECT * FROM unnest(%s::bigint[])
)
SELECT {_PERSON.format("m")} FROM account
CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = account.member_no LIMIT 1) m
"""  # noqa: S608

# What a member bought, whichever accounts of the same person did: pending, or confirmed after an instant.
BOUGHT = rf"""
WITH asked AS (
    SELECT coalesce(p.merged_into, p.member_no) AS member_no, min(asked.after_ms) AS after_ms
    FROM unnest(string_to_array(%s, E'\n'), %s::bigint[]) AS asked (name, after_ms)
    CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND name = asked.name LIMIT 1) p GROUP BY 1
), account AS (
    SELECT member_no, after_ms FROM asked
    UNION ALL
    SELECT s.member_no, after_ms FROM asked
    CROSS JOIN LATERAL (SELECT * FROM ledger.membership WHERE shard = 0 AND merged_into = asked.member_no OFFSET 0) s
)
SELECT {_PERSON.format("m")}, {_LOT}
FROM account
CROSS JOIN LATERAL (SELECT * FROM ledger.person WHERE shard = 0 AND member_no = account.member_no LIMIT 1) m
LEFT JOIN LATERAL (
    SELECT * FROM ledger.lot
    WHERE shard = 0 AND role = 0 AND member_no = account.member_no AND confirmed_at_ms > account.after_ms
    UNION ALL
    SELECT * FROM ledger.lot
    WHERE shard = 0 AND role = 0 AND member_no = account.member_no AND open AND confirmed_at_ms IS NULL OFFSET 0
) l ON true
"""  # noqa: S608

ACCOUNTS = """
SELECT asked.i, last.n, last.balance
FROM unnest(%s::smallint[], %s::integer[], %s::bigint[]) WITH ORDINALITY AS asked (family, unit, party, i)
CROSS JOIN LATERAL (
    SELECT n, balance FROM ledger.posting
    WHERE shard = 0 AND family = asked.family AND unit = asked.unit AND party = asked.party
    ORDER BY n DESC LIMIT 1
) last
"""
