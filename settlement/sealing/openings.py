"""What sealing needs to know, read from the two schemas: where the last batch ended, and what the next legs refer to.

Invariants: read-only; everything comes from rows that were written in the same transaction as the batch they belong to,
so an opening is always that of a whole batch. The last leaf of a member's account is found through the ledger's own
postings: posting -> (journal seq, leg) -> leaf. Called by `batches`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger import journal, queries
from ledger.accounts import Family
from ledger.answers import Leg, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import OPERATOR_ID, RESERVE_ID, member_account
from proofs.kinds import Terms
from settlement import tables
from settlement.chain.contracts import Contract
from settlement.sealing.chains import Tip
from settlement.sealing.closing import Pending
from settlement.sealing.leaves import MS_PER_SECOND, Needs
from settlement.sealing.seal import Opening, cash_balances
from settlement.tables import Batch, Conn

_TIPS = """
SELECT wanted.issuer, wanted.name, last.n, last.leaf_no, last.balance
FROM unnest(%(issuers)s::integer[], %(names)s::text[]) AS wanted (issuer, name)
JOIN ledger.member USING (name)
CROSS JOIN LATERAL (
    SELECT n, leaf.leaf_no, balance FROM ledger.posting
    JOIN settlement.batch_leaf AS leaf ON leaf.journal_seq = posting.seq AND leaf.leg_no = posting.leg
    WHERE shard = member.shard AND family = %(family)s AND unit = wanted.issuer AND party = member.member_no
        AND seq <= %(last_seq)s AND leaf.batch_no < %(batch_no)s AND leaf.leg_no > 0
    ORDER BY n DESC LIMIT 1
) AS last
"""
_REFERENCES = """
SELECT journal_seq, leg_no, event_id
FROM settlement.batch_leaf JOIN unnest(%(seqs)s::bigint[], %(nos)s::smallint[]) AS wanted (journal_seq, leg_no)
    USING (journal_seq, leg_no)
WHERE batch_no < %(batch_no)s
"""
_FIRST_LEG = """
SELECT at_ms FROM ledger.journal WHERE shard = 0 AND seq > %s AND receipt LIKE '%%"legs":[{%%' ORDER BY seq LIMIT 1
"""
_FIRST_SIGNED = """
SELECT count(*), min(accepted_at) FROM settlement.signed_event JOIN settlement.parked USING (journal_seq, leg_no)
WHERE sealed_in IS NULL
"""
_PENDING = """
SELECT count(*), count(*) FILTER (WHERE settling) FROM settlement.batch
WHERE superseded_by IS NULL AND batch_no > 0 AND state NOT IN ('OPEN', 'FINALISED')
"""
_SETTLED = """
SELECT max(batch_no) FROM settlement.batch
WHERE superseded_by IS NULL AND (settling OR batch_no = 0) AND batch_no <= %s
"""


def opening(conn: Conn, previous: Batch) -> Opening:
    """Where `previous` left off."""
    row = conn.execute(_SETTLED, [previous.batch_no]).fetchone()
    settled = tables.batch(conn, row[0]) if row else None
    assert settled is not None, "batch 0 counts as the first settling batch"
    anchor = tables.anchor(conn, batch_no=previous.batch_no)
    return Opening(
        header=previous.done.header,
        header_hashes=tables.header_hashes(conn, previous.batch_no + 1),
        rows=previous.done.rows,
        settled_batch=settled.batch_no,
        settled_cash=cash_balances(settled.done.rows),
        first_batch=0 if anchor is None else anchor.first_batch,
    )


def late(conn: Conn, refs: Sequence[LegRef]) -> list[tuple[JournalEntry, Leg]]:
    """The legs that earlier batches left out, each with its entry."""
    entries = {seq: entry for seq in {ref.seq for ref in refs} for entry in journal.read(conn, seq - 1, 1)}
    return [(entries[ref.seq], next(leg for leg in entries[ref.seq].legs if leg.no == ref.no)) for ref in refs]


def entries(conn: Conn, after_seq: int, *, leaves_max: int, last_seq: int | None = None) -> list[JournalEntry]:
    """Whole journal entries after `after_seq`: as many as hold `leaves_max` legs, or exactly up to `last_seq`."""
    found: list[JournalEntry] = []
    legs = 0
    while page := journal.read(conn, after_seq):
        for entry in page:
            legs += len(entry.legs)
            if (legs > leaves_max and found) if last_seq is None else entry.seq > last_seq:
                return found
            found.append(entry)
        after_seq = page[-1].seq
    return found


def pending(conn: Conn, after_seq: int) -> Pending:
    """What waits after the last sealed entry, and what was left out before it and is signed by now. An entry counts as
    one leaf, whatever it has: a batch closes as full a little early or late.
    """
    batches, settling = conn.execute(_PENDING).fetchone() or (0, 0)
    signed, signed_at = conn.execute(_FIRST_SIGNED).fetchone() or (0, None)
    first = conn.execute(_FIRST_LEG, [after_seq]).fetchone()
    since: list[int] = [] if signed_at is None else [signed_at]
    since += [first[0] // MS_PER_SECOND] if first else []
    return Pending(
        leaves=signed + (journal.head_seq(conn) - after_seq if first else 0),
        first_leaf_at=min(since, default=None),
        batches=batches,
        settling=settling,
    )


def settled_at(conn: Conn) -> int:
    """When the last settling batch, or else genesis, was sealed: Unix seconds by the chain's clock."""
    row = conn.execute(_SETTLED, [tables.BATCH_NO_MAX]).fetchone()
    settled = tables.batch(conn, row[0]) if row else None
    assert settled is not None, "batch 0 counts as the first settling batch"
    return settled.done.sealed_at


def tips(conn: Conn, needs: Needs, secrets: Mapping[str, bytes], *, last_seq: int, batch_no: int) -> dict[bytes, Tip]:
    """The end of every touched member account that a batch before `batch_no` holds. What is parked of an account is
    always its last postings, so the last one that has a leaf is the end.
    """
    touched = sorted(needs.accounts)
    fields = {"issuers": [issuer for issuer, _ in touched], "names": [name for _, name in touched]}
    named = {**fields, "family": Family.MEMBER.value, "last_seq": last_seq, "batch_no": batch_no}
    return {
        member_account(secrets[name], issuer): Tip(n, leaf_no, balance)
        for issuer, name, n, leaf_no, balance in conn.execute(_TIPS, named).fetchall()
    }


def references(conn: Conn, needs: Needs, *, batch_no: int) -> dict[LegRef, bytes]:
    """Event ids of legs that batches before `batch_no` hold."""
    wanted = sorted(needs.references)
    fields = {"seqs": [ref.seq for ref in wanted], "nos": [ref.no for ref in wanted], "batch_no": batch_no}
    rows = conn.execute(_REFERENCES, fields).fetchall()
    return {LegRef(seq, no): bytes(event_id) for seq, no, event_id in rows}


def parties(conn: Conn) -> list[int]:
    """Everyone who has a cash account: merchants, the operator and the reserve."""
    return [*(merchant.merchant_id for merchant in queries.merchants(conn)), OPERATOR_ID, RESERVE_ID]


def issuers(conn: Conn) -> list[int]:
    """Everyone who may issue points."""
    return [merchant.merchant_id for merchant in queries.merchants(conn)]


def registered_terms(registry: Contract, *, first_block: int) -> dict[int, Terms]:
    """All terms as the registry's events tell them."""
    ended = {
        event.fields["termsId"]: event.fields["toBatch"] for event in registry.events("TermsEnded", first=first_block)
    }
    return {
        terms["termsId"]: Terms(
            terms_id=terms["termsId"],
            issuer_id=terms["issuerId"],
            acceptor_id=terms["acceptorId"],
            num=terms["num"],
            den=terms["den"],
            mode=terms["mode"],
            from_batch=terms["fromBatch"],
            to_batch=ended.get(terms["termsId"], 0),
        )
        for terms in (event.fields for event in registry.events("TermsAdded", first=first_block))
    }
