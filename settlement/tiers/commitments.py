"""Who a member is in tier proofs: commitments to secrets that only their devices hold.

Invariants: a commitment is one member's for ever, whatever became of it; rows are appended and never changed; a new key
takes effect in the next epoch and takes the older one's place there; `from_epoch` is what a leaf calls keyEpoch, so a
campaign can leave out keys that are younger than itself. A name means the person, so after a merge the person has one
commitment: its own newest, else the newest of those merged into it. Called by the door, `witness` and `forgetting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
from psycopg.rows import class_row

from proofs.poseidon import R
from settlement.tables import Conn
from settlement.tiers.clock import EPOCH_NO_MAX, EpochClock

KEYS_PER_EPOCH_MAX: Final = 4
"""Of one person: a wallet that makes a key with each start would fill the table."""
COMMITMENT_BYTES: Final = 32
ALL_IN_MS_MAX: Final = 10_000
"""An enrolment takes some milliseconds; one whose server is cut off holds its transaction until PostgreSQL notices."""
TAKEN_WORDS: Final = "this commitment was registered before: draw a new secret"


class CommitmentRefused(ValueError):
    """Root: why a commitment was not taken."""


class MemberAbsent(CommitmentRefused):
    """Nobody of this name is a member now: unknown, or closed."""


class NotCommitment(CommitmentRefused):
    """No hash of the circuit's field: zero, or not below its order."""


class CommitmentTaken(CommitmentRefused):
    """The commitment was registered before: by another member, or as an older key of this one."""


class EnrolmentHangs(RuntimeError):
    """An epoch cannot be taken while an enrolment is under way; the next drive tries again."""


class TooManyKeys(CommitmentRefused):
    """The member has made as many keys for one epoch as it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """One key: in leaves from `from_epoch` on, until a higher `key_no` or its end. `enrolled_at` in Unix seconds."""

    member_no: int
    key_no: int
    commitment: bytes
    enrolled_at: int
    from_epoch: int
    ended: bool

    @property
    def element(self) -> int:
        """The commitment as the circuit has it."""
        return int.from_bytes(self.commitment, "big")


# The keys of a person: its own and those of accounts that were merged into it, the one that counts first.
_OF_PERSON: Final[LiteralString] = """
SELECT k.member_no, k.key_no, k.commitment, k.enrolled_at, k.from_epoch, e.key_no IS NOT NULL AS ended
FROM (SELECT coalesce(merged_into, member_no) AS member_no FROM ledger.person WHERE shard = 0 AND name = %(name)s) who
JOIN ledger.person p ON p.shard = 0 AND (p.member_no = who.member_no OR p.member_no IN (
    SELECT s.member_no FROM ledger.membership s WHERE s.shard = 0 AND s.merged_into = who.member_no))
JOIN settlement.tier_commitment k ON k.shard = 0 AND k.member_no = p.member_no
LEFT JOIN settlement.tier_ended e ON (e.shard, e.member_no, e.key_no) = (k.shard, k.member_no, k.key_no)
ORDER BY p.member_no = who.member_no DESC, k.from_epoch DESC, k.key_no DESC
"""
_PERSON = """
SELECT w.member_no, w.closed FROM ledger.person p
JOIN ledger.person w ON w.shard = 0 AND w.member_no = coalesce(p.merged_into, p.member_no)
WHERE p.shard = 0 AND p.name = %s
"""
_LATEST = """
SELECT key_no FROM settlement.tier_commitment WHERE shard = 0 AND member_no = %s ORDER BY key_no DESC LIMIT 1
"""
_TAKEN = "SELECT 1 FROM settlement.tier_commitment WHERE commitment = %s"
_NEWEST = "SELECT coalesce(max(epoch), 0) FROM settlement.tier_epoch"
_ENROL = """
INSERT INTO settlement.tier_commitment (member_no, key_no, commitment, enrolled_at, from_epoch)
VALUES (%(member_no)s, %(key_no)s, %(commitment)s, %(enrolled_at)s, %(from_epoch)s)
"""
_ENROLLING: Final[LiteralString] = "hashtextextended('tier-enrolling', 0)"
_AMONG_OTHERS: Final[LiteralString] = f"SELECT pg_advisory_xact_lock_shared({_ENROLLING})"
_ALL_IN: Final[LiteralString] = f"SELECT pg_advisory_xact_lock({_ENROLLING})"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tier-keys:' || %s, 0))"


def keys_of(conn: Conn, member: str) -> list[Enrolled]:
    """Every key of the person whom the name means, the one that counts first."""
    with conn.cursor(row_factory=class_row(Enrolled)) as cursor:
        return cursor.execute(_OF_PERSON, {"name": member}).fetchall()


def current(keys: list[Enrolled], epoch: int) -> Enrolled | None:
    """Which of a person's keys, as `keys_of` gives them, stands in an epoch; as `snapshot` chooses it in SQL.

    Of each account only the newest key can count, and it counts for nothing once it has ended.
    """
    newest: dict[int, Enrolled] = {}
    for key in keys:
        if key.from_epoch <= epoch:
            held = newest.get(key.member_no)
            newest[key.member_no] = key if held is None or key.key_no > held.key_no else held
    return next((key for key in keys if newest.get(key.member_no) is key and not key.ended), None)


def enrol(conn: Conn, clock: EpochClock, member: str, commitment: bytes, *, now: int) -> Enrolled:
    """Let the member be known by this commitment from the next epoch on; asked again, the same answer.

    Raises, in this order, `NotCommitment`, `MemberAbsent`, `CommitmentTaken`, `TooManyKeys`.
    """
    if len(commitment) != COMMITMENT_BYTES or not 0 < int.from_bytes(commitment, "big") < R:
        raise NotCommitment("a commitment is a hash below the order of the field, and not zero")
    try:
        with conn.transaction():
            return _enrolled(conn, clock, member, commitment, now)
    except psycopg.errors.UniqueViolation as error:
        raise CommitmentTaken(TAKEN_WORDS) from error  # by another member in this very moment


def _enrolled(conn: Conn, clock: EpochClock, member: str, commitment: bytes, now: int) -> Enrolled:
    person = conn.execute(_PERSON, [member]).fetchone()
    if person is None or person[1]:
        raise MemberAbsent(f"{member} is no member")
    conn.execute(_LOCK, [str(person[0])])
    conn.execute(_AMONG_OTHERS)
    keys = keys_of(conn, member)
    from_epoch = min(EPOCH_NO_MAX, max(clock.epoch_at(now), _newest(conn)) + 1)
    held = current(keys, EPOCH_NO_MAX)
    if held is not None and held.commitment == commitment:
        return held
    if conn.execute(_TAKEN, [commitment]).fetchone() is not None:
        raise CommitmentTaken(TAKEN_WORDS)
    if sum(key.from_epoch == from_epoch for key in keys) >= KEYS_PER_EPOCH_MAX:
        raise TooManyKeys(f"{KEYS_PER_EPOCH_MAX} keys were registered for epoch {from_epoch} already")
    latest = conn.execute(_LATEST, [person[0]]).fetchone()
    made = Enrolled(
        member_no=person[0],
        key_no=latest[0] + 1 if latest else 1,
        commitment=commitment,
        enrolled_at=now,
        from_epoch=from_epoch,
        ended=False,
    )
    conn.execute(_ENROL, {name: getattr(made, name) for name in Enrolled.__slots__ if name != "ended"})
    return made


def _newest(conn: Conn) -> int:
    """The newest epoch that was numbered. It takes no more commitments in, even where this clock is behind."""
    row = conn.execute(_NEWEST).fetchone()
    return int(row[0]) if row else 0


def all_in(conn: Conn, *, wait_ms_max: int = ALL_IN_MS_MAX) -> None:
    """Wait for enrolments under way, which may have looked before the newest epoch was numbered; later ones count from
    the epoch after it. Before a snapshot: else a key could be of an epoch that does not have it, and its owner show an
    older one there and this one afterwards, in a campaign that begins with that epoch. Raises `EnrolmentHangs`: while
    it waits the next ones wait, too.
    """
    try:
        with conn.transaction():
            conn.execute("SELECT set_config('lock_timeout', %s, true)", [str(wait_ms_max)])
            conn.execute(_ALL_IN)
    except psycopg.errors.LockNotAvailable as error:
        raise EnrolmentHangs(f"an enrolment has not ended in {wait_ms_max} ms") from error
