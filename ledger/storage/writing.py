"""How a batch's effects are written to PostgreSQL: an array insert or update per table that changed, and the head, as
one statement.

Made for the store, which sends it inside its transaction. Rows are built column by column; the statement turns arrays
back into rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ledger import records
from ledger.commands import Configuring, OpenMerchant, PublishTerms
from ledger.effects import Effects
from ledger.slice import Lot, Member, Order
from ledger.storage.loading import integers, lines

JOURNAL = r"""
INSERT INTO ledger.journal (shard, seq, at_ms, verb, command, receipt)
SELECT 0, * FROM unnest(%s::bigint[], %s::bigint[], string_to_array(%s, E'\n'),
                        string_to_array(%s, E'\n'), string_to_array(%s, E'\n'))
"""
ANSWERS = r"""
INSERT INTO ledger.answer (shard, key, seq, command, body)
SELECT 0, * FROM unnest(string_to_array(%s, E'\n'), %s::bigint[],
                        string_to_array(%s, E'\n', ''), string_to_array(%s, E'\n', ''))
"""
POSTINGS = """
INSERT INTO ledger.posting (shard, seq, leg, n, amount, balance, family, unit, party)
SELECT 0, * FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[],
                        %s::smallint[], %s::integer[], %s::bigint[])
"""
MEMBERS = r"""
INSERT INTO ledger.member (shard, member_no, name)
SELECT 0, * FROM unnest(%s::bigint[], string_to_array(%s, E'\n'))
"""
MERCHANTS = r"""
INSERT INTO ledger.merchant (shard, merchant_id, code, seq)
SELECT 0, * FROM unnest(%s::integer[], string_to_array(%s, E'\n'), %s::bigint[])
"""
TERMS = """
INSERT INTO ledger.terms (shard, terms_id, issuer_id, seq)
SELECT 0, * FROM unnest(%s::integer[], %s::integer[], %s::bigint[])
"""
CONFIGURATION = """
INSERT INTO ledger.configuration (shard, seq)
SELECT 0, * FROM unnest(%s::bigint[])
"""
# One empty tier travels as an empty text, of which string_to_array makes no row at all: hence the coalesce.
CHANGED_MEMBERS = r"""
INSERT INTO ledger.membership (shard, member_no, bonded, referrer_no, merged_into, frozen, closed, tier, tier_since_ms)
SELECT 0, no, bonded, referrer, merged_into, frozen, closed, coalesce(tier, ''), since
FROM unnest(%s::bigint[], %s::boolean[], %s::bigint[], %s::bigint[], %s::boolean[], %s::boolean[],
            string_to_array(%s, E'\n'), %s::bigint[])
     AS new (no, bonded, referrer, merged_into, frozen, closed, tier, since)
ON CONFLICT (shard, member_no) DO UPDATE
SET bonded = excluded.bonded, referrer_no = excluded.referrer_no, merged_into = excluded.merged_into,
    frozen = excluded.frozen, closed = excluded.closed, tier = excluded.tier, tier_since_ms = excluded.tier_since_ms
"""
RECORDS = r"""
INSERT INTO ledger.record (shard, kind, party, name, seq, body)
SELECT 0, * FROM unnest(%s::smallint[], %s::integer[], string_to_array(%s, E'\n'), %s::bigint[],
                        string_to_array(%s, E'\n'))
ON CONFLICT (shard, party, kind, name) DO UPDATE SET seq = excluded.seq, body = excluded.body
"""
CLAIMS = r"""
INSERT INTO ledger.claim (shard, used, merchant_id, name, seq)
SELECT 0, * FROM unnest(%s::smallint[], %s::integer[], string_to_array(%s, E'\n'), %s::bigint[])
"""
NEW_ORDERS = r"""
INSERT INTO ledger.orders (shard, merchant_id, name, seq, at_ms, member_no, amount_minor, terms_id, fee_bps,
                           campaign_id, confirm_from_ms, refunded_minor, confirmed_at_ms)
SELECT 0, * FROM unnest(%s::integer[], string_to_array(%s, E'\n'), %s::bigint[], %s::bigint[], %s::bigint[],
                        %s::bigint[], %s::integer[], %s::integer[], %s::integer[], %s::bigint[], %s::bigint[],
                        %s::bigint[])
"""
CHANGED_ORDERS = r"""
UPDATE ledger.orders o SET refunded_minor = new.refunded, confirmed_at_ms = new.confirmed
FROM unnest(%s::integer[], string_to_array(%s, E'\n'), %s::bigint[], %s::bigint[])
     AS new (merchant_id, name, refunded, confirmed)
WHERE o.shard = 0 AND o.merchant_id = new.merchant_id AND o.name = new.name
"""
NEW_LOTS = """
INSERT INTO ledger.lot (shard, seq, no, standing, remaining, confirmed_at_ms, expires_at_ms, earned_seq, earned_leg,
                        open, member_no, role, issuer, terms_id, points)
SELECT 0, * FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                        %s::bigint[], %s::smallint[], %s::boolean[], %s::bigint[], %s::smallint[], %s::integer[],
                        %s::integer[], %s::bigint[])
"""
CHANGED_LOTS = """
UPDATE ledger.lot l
SET standing = new.standing, remaining = new.remaining, confirmed_at_ms = new.confirmed, expires_at_ms = new.expires,
    earned_seq = new.earned_seq, earned_leg = new.earned_leg, open = new.open, member_no = new.member_no
FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::smallint[], %s::boolean[], %s::bigint[])
     AS new (seq, no, standing, remaining, confirmed, expires, earned_seq, earned_leg, open, member_no)
WHERE l.shard = 0 AND l.seq = new.seq AND l.no = new.no
"""
HEAD = "UPDATE ledger.head SET seq = %s, registry_seq = %s WHERE shard = 0"


Part = tuple[str, list[Any]]
"""A statement and its parameters."""


def statement(effects: Effects, seq: int, registry_seq: int) -> Part | None:
    """Everything in `effects`, and the head at `seq` if anything was journalled: one statement, whatever changed; None
    when nothing did.

    The parts are independent of each other, so all but the last can be subqueries of it.
    """
    parts = [*_log(effects), *_registry(effects), *_orders(effects), *_lots(effects)]
    if effects.journal:
        parts.append((HEAD, [seq, registry_seq]))
    if not parts:
        return None
    first = ", ".join([f"part_{i} AS ({part})" for i, (part, _) in enumerate(parts[:-1])])
    return (f"WITH {first} " if first else "") + parts[-1][0], [value for _, values in parts for value in values]


def _log(effects: Effects) -> Iterator[Part]:
    if effects.journal:
        seqs, verbs, times, asked, receipts = zip(*effects.journal, strict=True)
        yield JOURNAL, [integers(seqs), integers(times), lines(verbs), _texts(asked), _texts(receipts)]
    if effects.postings:
        seqs, postings = zip(*effects.postings, strict=True)
        names, ns, legs, amounts, balances = zip(*postings, strict=True)
        families, units, parties = zip(*names, strict=True)
        columns = (seqs, legs, ns, amounts, balances, families, units, parties)
        yield POSTINGS, [integers(column) for column in columns]
    if effects.answers:
        keys, entries, asked, bodies = zip(*effects.answers, strict=True)
        yield ANSWERS, [lines(keys), integers(entries), _texts(asked), _texts(bodies)]
    if effects.claims:
        used, merchants, taken = zip(*effects.claims, strict=True)
        yield CLAIMS, [integers(used), integers(merchants), lines(taken), integers(effects.claims.values())]


def _registry(effects: Effects) -> Iterator[Part]:
    if effects.members:
        numbers, names = zip(*effects.members, strict=True)
        yield MEMBERS, [integers(numbers), lines(names)]
    if effects.configured:
        yield from _configured(effects.configured)
    if effects.changed_members:
        yield CHANGED_MEMBERS, _member_columns(effects.changed_members.values())
    if effects.records:
        kinds, parties, called = zip(*effects.records, strict=True)
        seqs, kept = zip(*effects.records.values(), strict=True)
        bodies = _texts(records.canonical(record) for record in kept)
        yield RECORDS, [integers(kinds), integers(parties), lines(called), integers(seqs), bodies]


def _configured(configured: Collection[tuple[int, Configuring]]) -> Iterator[Part]:
    """The registry's entries, and the numbers that merchants and terms took."""
    yield CONFIGURATION, [integers(seq for seq, _ in configured)]
    opened = [(seq, each) for seq, each in configured if isinstance(each, OpenMerchant)]
    if opened:
        ids, codes = [each.merchant_id for _, each in opened], [each.code for _, each in opened]
        yield MERCHANTS, [integers(ids), lines(codes), integers(seq for seq, _ in opened)]
    published = [(seq, each) for seq, each in configured if isinstance(each, PublishTerms)]
    if published:
        ids, issuers = [each.terms_id for _, each in published], [each.issuer_id for _, each in published]
        yield TERMS, [integers(ids), integers(issuers), integers(seq for seq, _ in published)]


def _member_columns(members: Collection[Member]) -> list[str]:
    return [
        integers(member.no for member in members),
        integers(int(member.bonded) for member in members),
        integers(member.referrer for member in members),
        integers(member.merged_into for member in members),
        integers(int(member.frozen) for member in members),
        integers(int(member.closed) for member in members),
        lines(member.tier for member in members),
        integers(member.tier_since_ms for member in members),
    ]


def _orders(effects: Effects) -> Iterator[Part]:
    if effects.new_orders:
        yield NEW_ORDERS, _new_order_columns(effects.new_orders.values())
    if effects.changed_orders:
        orders = effects.changed_orders.values()
        yield (
            CHANGED_ORDERS,
            [
                integers(order.merchant_id for order in orders),
                lines(order.name for order in orders),
                integers(order.refunded_minor for order in orders),
                integers(order.confirmed_at_ms for order in orders),
            ],
        )


def _new_order_columns(orders: Collection[Order]) -> list[str]:
    return [
        integers(order.merchant_id for order in orders),
        lines(order.name for order in orders),
        integers(order.seq for order in orders),
        integers(order.at_ms for order in orders),
        integers(order.member_no for order in orders),
        integers(order.amount_minor for order in orders),
        integers(order.terms_id for order in orders),
        integers(order.fee_bps for order in orders),
        integers(order.campaign_id for order in orders),
        integers(order.confirm_from_ms for order in orders),
        integers(order.refunded_minor for order in orders),
        integers(order.confirmed_at_ms for order in orders),
    ]


def _lots(effects: Effects) -> Iterator[Part]:
    if effects.new_lots:
        lots = effects.new_lots.values()
        fixed = [
            integers(lot.role for lot in lots),
            integers(lot.issuer for lot in lots),
            integers(lot.terms_id for lot in lots),
            integers(lot.points for lot in lots),
        ]
        yield NEW_LOTS, _changing_columns(lots) + fixed
    if effects.changed_lots:
        yield CHANGED_LOTS, _changing_columns(effects.changed_lots.values())


def _changing_columns(lots: Collection[Lot]) -> list[str]:
    return [
        integers(lot.id.seq for lot in lots),
        integers(lot.id.no for lot in lots),
        integers(lot.standing for lot in lots),
        integers(lot.remaining for lot in lots),
        integers(lot.confirmed_at_ms for lot in lots),
        integers(lot.expires_at_ms for lot in lots),
        integers(lot.earned_by.seq if lot.earned_by else None for lot in lots),
        integers(lot.earned_by.no if lot.earned_by else None for lot in lots),
        integers(int(lot.remaining > 0) for lot in lots),
        integers(lot.member_no for lot in lots),
    ]


def _texts(values: Iterable[bytes | None]) -> str:
    """Canonical JSON as lines; none of it holds a raw line break, and an empty line is a null."""
    return b"\n".join([value or b"" for value in values]).decode()
