"""Settlement's rows (migration 0002): batches, their leaves, attestations and the anchor, read and written in one
place.

Invariants: statements only, no decision; every change of a batch's state goes through `advance`, which refuses when the
state is not the one its caller saw. A batch is addressed by its live incarnation. Called by sealing, submitter,
deployment and status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from ledger.answers import LegRef
from proofs.json_form import from_json, to_json
from proofs.lpb1 import ROW_BYTES, Row
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES, int_word, uint_word
from settlement.publish import Wrapped
from settlement.sealing.ends import Use
from settlement.sealing.lanes import LaneId
from settlement.steps import State

Conn = Connection[Any]
WRAPPED_PARTS = 3
"""Name, enc, ciphertext. Batches of before the wrapped keys were kept have the name and the public key instead."""
BATCH_NO_MAX = 2**62
UNPUBLISHED = frozenset({State.OPEN, State.SEALED})
REVERTED_ON_CHAIN = 3
"""BatchStatus.Reverted of the hub."""
Nets = list[tuple[int, int]]


class StateMoved(RuntimeError):
    """The batch is no longer in the state this process saw: another one has worked on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFields:
    """What a batch has from SEALED on. Leaves are numbered first..last, both 0 for genesis; times are Unix seconds;
    `uses` is what it takes for granted of the registry.
    """

    first_leaf: int
    last_leaf: int
    first_seq: int
    last_seq: int
    settling: bool
    sealed_at: int
    header: BatchHeader
    rows: Sequence[Row]
    nets: Sequence[tuple[int, int]]
    wrapped: Sequence[Wrapped]
    uses: Sequence[Use] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One live batch; `sealed` is None while it is OPEN. Secrets are wrapped."""

    batch_no: int
    incarnation: int
    state: State
    batch_secret: bytes
    data_key: bytes
    opened_at: int
    sealed: SealedFields | None

    @property
    def done(self) -> SealedFields:
        """What it was sealed with; only for batches past OPEN."""
        assert self.sealed is not None, f"batch {self.batch_no} is not sealed"
        return self.sealed

    @property
    def header_hash(self) -> bytes:
        return self.done.header.hash_struct()


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The chain and contracts of this database from `first_batch` on. Addresses are 20 bytes; `founded_at` is the
    openedAt of that batch.
    """

    chain_id: int
    genesis_hash: bytes
    token: bytes
    registry: bytes
    policy: bytes
    hub: bytes
    code_hash: bytes
    deploy_block: int
    deployer: bytes
    founded_at: int
    first_batch: int = 0


_COLUMNS = """
batch_no, incarnation, state, batch_secret, data_key, opened_at, first_leaf, last_leaf, first_seq, last_seq, settling,
sealed_at, header, account_rows, nets, recipients, uses
"""
_ONE = f"SELECT {_COLUMNS} FROM settlement.batch WHERE superseded_by IS NULL AND batch_no = %s"  # noqa: S608 - constants
_WITH_HEADER = f"SELECT {_COLUMNS} FROM settlement.batch WHERE header_hash = %s"  # noqa: S608
_LAST = f"SELECT {_COLUMNS} FROM settlement.batch WHERE superseded_by IS NULL ORDER BY batch_no DESC LIMIT 1"  # noqa: S608
_UNFINISHED = f"""
SELECT {_COLUMNS} FROM settlement.batch WHERE superseded_by IS NULL AND state <> 'FINALISED' ORDER BY batch_no
"""  # noqa: S608
_LAST_SEALED = f"""
SELECT {_COLUMNS} FROM settlement.batch WHERE superseded_by IS NULL AND header IS NOT NULL
ORDER BY batch_no DESC LIMIT 1
"""  # noqa: S608
_LAST_FINALISED = """
SELECT coalesce(max(batch_no), 0) FROM settlement.batch WHERE superseded_by IS NULL AND state = 'FINALISED'
"""
_OPEN = """
INSERT INTO settlement.batch (batch_no, incarnation, state, batch_secret, data_key, opened_at)
VALUES (%(batch_no)s, %(incarnation)s, 'OPEN', %(batch_secret)s, %(data_key)s, %(opened_at)s)
"""
_SEAL = """
UPDATE settlement.batch SET state = 'SEALED', first_leaf = %(first_leaf)s, last_leaf = %(last_leaf)s,
    first_seq = %(first_seq)s, last_seq = %(last_seq)s, settling = %(settling)s, sealed_at = %(sealed_at)s,
    header = %(header)s, header_hash = %(header_hash)s, data_hash = %(data_hash)s, account_rows = %(account_rows)s,
    nets = %(nets)s, recipients = %(recipients)s, uses = %(uses)s
WHERE batch_no = %(batch_no)s AND incarnation = %(incarnation)s AND state = 'OPEN' AND superseded_by IS NULL
"""
_ADVANCE = """
UPDATE settlement.batch SET state = %(to)s
WHERE batch_no = %(batch_no)s AND incarnation = %(incarnation)s AND state = %(seen)s AND superseded_by IS NULL
"""
_HASHES = """
SELECT header_hash FROM settlement.batch
WHERE superseded_by IS NULL AND header_hash IS NOT NULL AND batch_no < %(before)s AND batch_no >=
    (SELECT coalesce(max(first_batch), 0) FROM settlement.chain_anchor WHERE first_batch < %(before)s)
ORDER BY batch_no
"""
_LIVE = "SELECT batch_no, header_hash FROM settlement.batch WHERE superseded_by IS NULL AND header_hash IS NOT NULL"
_LEGS = "SELECT journal_seq, leg_no, event_id FROM settlement.batch_leaf WHERE batch_no = %s AND leg_no > 0"
_KNOWN = "SELECT header_hash FROM settlement.batch WHERE batch_no = %s AND header_hash IS NOT NULL"
_SUPERSEDE = """
UPDATE settlement.batch SET superseded_by = incarnation + 1 WHERE batch_no >= %(batch_no)s AND superseded_by IS NULL
"""
_PLANNED = """
SELECT incarnation, last_seq, settling, header_hash FROM settlement.batch
WHERE batch_no = %s AND superseded_by IS NOT NULL ORDER BY incarnation DESC LIMIT 1
"""
_SUPERSEDED = "SELECT batch_no, incarnation FROM settlement.batch WHERE superseded_by IS NOT NULL"
_FORGET_LEAVES = "DELETE FROM settlement.batch_leaf WHERE batch_no >= %(batch_no)s"
_FORGET_PARKED = "DELETE FROM settlement.parked WHERE parked_in >= %(batch_no)s"
_PARK_AGAIN = "UPDATE settlement.parked SET sealed_in = NULL WHERE sealed_in >= %(batch_no)s"
_ATTEST = """
INSERT INTO settlement.attestation (header_hash, attester, sig) VALUES (%(header_hash)s, %(attester)s, %(sig)s)
ON CONFLICT DO NOTHING
"""
_ATTESTATIONS = "SELECT attester, sig FROM settlement.attestation WHERE header_hash = %s ORDER BY attester"
_ATTESTED_FROM = """
SELECT EXISTS (
    SELECT 1 FROM settlement.attestation JOIN settlement.batch USING (header_hash)
    WHERE superseded_by IS NULL AND batch_no >= %s
)
"""
_BY_HASH = "SELECT 1 FROM settlement.batch WHERE header_hash = %s AND superseded_by IS NULL"
_ANCHOR = """
SELECT chain_id, genesis_hash, token, registry, policy, hub, code_hash, deploy_block, deployer, founded_at, first_batch
FROM settlement.chain_anchor WHERE first_batch <= %s ORDER BY first_batch DESC LIMIT 1
"""
_SET_ANCHOR = """
INSERT INTO settlement.chain_anchor
    (chain_id, genesis_hash, token, registry, policy, hub, code_hash, deploy_block, deployer, founded_at, first_batch)
VALUES (%(chain_id)s, %(genesis_hash)s, %(token)s, %(registry)s, %(policy)s, %(hub)s, %(code_hash)s, %(deploy_block)s,
    %(deployer)s, %(founded_at)s, %(first_batch)s)
"""


def batch(conn: Conn, batch_no: int) -> Batch | None:
    """The live incarnation of a batch number."""
    return next(iter(_batches(conn, _ONE, [batch_no])), None)


def incarnation(conn: Conn, header_hash: bytes) -> Batch | None:
    """The batch with this header, whether it is live or another took its number."""
    return next(iter(_batches(conn, _WITH_HEADER, [header_hash])), None)


def last_batch(conn: Conn) -> Batch | None:
    """The batch with the highest number."""
    return next(iter(_batches(conn, _LAST)), None)


def last_sealed(conn: Conn) -> Batch | None:
    """The newest batch that has its header, None before genesis."""
    found = _batches(conn, _LAST_SEALED)
    return found[0] if found else None


def last_finalised(conn: Conn) -> int:
    """The highest number that ended well; genesis is 0."""
    row = conn.execute(_LAST_FINALISED).fetchone()
    return int(row[0]) if row else 0


def unfinished(conn: Conn) -> list[Batch]:
    """Every live batch that is not FINALISED, ascending."""
    return _batches(conn, _UNFINISHED)


def open_batch(conn: Conn, opened: Batch) -> None:
    """Keep the secrets of a batch before anything is made with them."""
    fields = {"batch_no": opened.batch_no, "incarnation": opened.incarnation, "opened_at": opened.opened_at}
    conn.execute(_OPEN, {**fields, "batch_secret": opened.batch_secret, "data_key": opened.data_key})


def seal_batch(conn: Conn, opened: Batch, done: SealedFields) -> None:
    """OPEN becomes SEALED. Raises `StateMoved`."""
    fields = {
        "batch_no": opened.batch_no,
        "incarnation": opened.incarnation,
        "first_leaf": done.first_leaf,
        "last_leaf": done.last_leaf,
        "first_seq": done.first_seq,
        "last_seq": done.last_seq,
        "settling": done.settling,
        "sealed_at": done.sealed_at,
        "header": Jsonb(to_json(done.header)),
        "header_hash": done.header.hash_struct(),
        "data_hash": done.header.data_hash,
        "account_rows": b"".join(map(_row_words, done.rows)),
        "nets": Jsonb([[merchant, str(amount)] for merchant, amount in done.nets]),
        "recipients": Jsonb([[each.kid, each.enc.hex(), each.ciphertext.hex()] for each in done.wrapped]),
        "uses": Jsonb([list(each) for each in done.uses]),
    }
    _exactly_one(conn.execute(_SEAL, fields).rowcount, opened)


def advance(conn: Conn, seen: Batch, to: State) -> None:
    """Move a batch from the state its caller saw to another. Raises `StateMoved`."""
    fields = {"batch_no": seen.batch_no, "incarnation": seen.incarnation, "seen": seen.state.name, "to": to.name}
    _exactly_one(conn.execute(_ADVANCE, fields).rowcount, seen)


def header_hashes(conn: Conn, before: int) -> list[bytes]:
    """Header hashes of the sealed batches before this number, from the first of its hub; one that is open has none."""
    return [bytes(header_hash) for (header_hash,) in conn.execute(_HASHES, {"before": before}).fetchall()]


def live_hashes(conn: Conn) -> dict[int, bytes]:
    """The header hash of every sealed batch, by number."""
    return {number: bytes(header_hash) for number, header_hash in conn.execute(_LIVE).fetchall()}


def known_hashes(conn: Conn, batch_no: int) -> set[bytes]:
    """Every header that this database ever made for a number, superseded ones included."""
    return {bytes(header_hash) for (header_hash,) in conn.execute(_KNOWN, [batch_no]).fetchall()}


def supersede_from(conn: Conn, batch_no: int) -> None:
    """Put this batch and all after it aside; their leaves are free to be sealed again. In the caller's transaction."""
    conn.execute(_FORGET_LEAVES, {"batch_no": batch_no})
    conn.execute(_FORGET_PARKED, {"batch_no": batch_no})
    conn.execute(_PARK_AGAIN, {"batch_no": batch_no})
    conn.execute(_SUPERSEDE, {"batch_no": batch_no})


@dataclass(frozen=True, slots=True)
class Plan:
    """The range of a batch that was put aside: the next incarnation holds the same."""

    incarnation: int
    last_seq: int | None
    settling: bool | None
    header_hash: bytes | None


def plan(conn: Conn, batch_no: int) -> Plan | None:
    """What the last superseded incarnation of this number held; None if there is none."""
    row = conn.execute(_PLANNED, [batch_no]).fetchone()
    return None if row is None else Plan(row[0], row[1], row[2], None if row[3] is None else bytes(row[3]))


def add_leaves(conn: Conn, of: Batch, leaves: Sequence[tuple[int, bytes, int, int]]) -> None:
    """Keep (leaf_no, event_id, journal_seq, leg_no) of a batch."""
    copy = "COPY settlement.batch_leaf (leaf_no, event_id, batch_no, incarnation, journal_seq, leg_no) FROM STDIN"
    with conn.cursor() as cursor, cursor.copy(copy) as rows:
        for leaf_no, event_id, journal_seq, leg_no in leaves:
            rows.write_row((leaf_no, event_id, of.batch_no, of.incarnation, journal_seq, leg_no))


def legs_of(conn: Conn, batch_no: int) -> dict[LegRef, LaneId]:
    """The legs that a batch holds, each with the lane that signed it."""
    rows = conn.execute(_LEGS, [batch_no]).fetchall()
    return {LegRef(seq, no): _lane_of(bytes(event_id)) for seq, no, event_id in rows}


def add_attestation(conn: Conn, *, header_hash: bytes, attester: bytes, sig: bytes) -> bool:
    """Keep a verified signature (r ‖ vs); whether it was new. A header that no live batch has is not kept."""
    if conn.execute(_BY_HASH, [header_hash]).fetchone() is None:
        return False
    return conn.execute(_ATTEST, {"header_hash": header_hash, "attester": attester, "sig": sig}).rowcount == 1


def attested_from(conn: Conn, batch_no: int) -> bool:
    """Whether anybody's signature over this batch's header, or over one sealed on top of it, is kept."""
    row = conn.execute(_ATTESTED_FROM, [batch_no]).fetchone()
    return bool(row and row[0])


def superseded(conn: Conn) -> list[tuple[int, int]]:
    """(number, incarnation) of all whose place another incarnation takes."""
    return [(number, incarnation) for number, incarnation in conn.execute(_SUPERSEDED).fetchall()]


def attestations(conn: Conn, header_hash: bytes) -> list[tuple[bytes, bytes]]:
    """(attester, r ‖ vs), ascending by attester as the hub wants them."""
    rows = conn.execute(_ATTESTATIONS, [header_hash]).fetchall()
    return [(bytes(attester), bytes(sig)) for attester, sig in rows]


def anchor(conn: Conn, *, batch_no: int = BATCH_NO_MAX) -> Anchor | None:
    """Where this database settles a batch, or the next one; None before deployment."""
    with conn.cursor(row_factory=class_row(Anchor)) as cursor:
        return cursor.execute(_ANCHOR, [batch_no]).fetchone()


def set_anchor(conn: Conn, to: Anchor) -> None:
    """Once and for all, from its first batch on."""
    conn.execute(_SET_ANCHOR, {name: getattr(to, name) for name in Anchor.__slots__})


def _batches(conn: Conn, statement: LiteralString, values: Sequence[int | bytes] = ()) -> list[Batch]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_batch(row) for row in cursor.execute(statement, values).fetchall()]


def _exactly_one(count: int, seen: Batch) -> None:
    if count != 1:
        raise StateMoved(f"batch {seen.batch_no} is no longer {seen.state.name} in incarnation {seen.incarnation}")


def _batch(row: dict[str, Any]) -> Batch:
    return Batch(
        batch_no=row["batch_no"],
        incarnation=row["incarnation"],
        state=State[row["state"]],
        batch_secret=bytes(row["batch_secret"]),
        data_key=bytes(row["data_key"]),
        opened_at=row["opened_at"],
        sealed=None if row["header"] is None else _sealed(row),
    )


def _sealed(row: dict[str, Any]) -> SealedFields:
    rows = bytes(row["account_rows"])
    return SealedFields(
        first_leaf=row["first_leaf"],
        last_leaf=row["last_leaf"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        settling=row["settling"],
        sealed_at=row["sealed_at"],
        header=from_json(BatchHeader, row["header"]),
        rows=[_row(rows[at : at + ROW_BYTES]) for at in range(0, len(rows), ROW_BYTES)],
        nets=[(merchant, int(amount)) for merchant, amount in row["nets"]],
        wrapped=[
            Wrapped(entry[0], bytes.fromhex(entry[1]), bytes.fromhex(entry[2]))
            for entry in row["recipients"]
            if len(entry) == WRAPPED_PARTS
        ],
        uses=[Use(*each) for each in row["uses"]],
    )


def _lane_of(event_id: bytes) -> LaneId:
    """The first words of an event's id: merchant and key."""
    return LaneId(int.from_bytes(event_id[:4], "big"), int.from_bytes(event_id[4:8], "big"))


def _row_words(row: Row) -> bytes:
    """Account, seq, lastLeafNo, balance: the words of the published file."""
    return row.account + uint_word(row.seq) + uint_word(row.last_leaf_no) + int_word(row.balance)


def _row(words: bytes) -> Row:
    account, seq, last_leaf_no, balance = (words[at : at + WORD_BYTES] for at in range(0, ROW_BYTES, WORD_BYTES))
    return Row(
        account,
        int.from_bytes(seq, "big"),
        int.from_bytes(last_leaf_no, "big"),
        int.from_bytes(balance, "big", signed=True),
    )
