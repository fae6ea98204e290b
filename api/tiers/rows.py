"""Rows of the doors of tier proofs (migrations 0021, 0028): statements only, no decision.

Invariants: words of the field and ids are 32 bytes; a request is kept as it was signed; the one statement that uses a
request and a nullifier up is `use`, for a transaction of its caller's. Times come in. Called by the handlers of this
folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from proofs.tier.grid import PolicyGrid
from proofs.tier.narrowing import Question
from proofs.tier.policy import Metric, Policy
from proofs.tier.request import SignedRequest
from proofs.words import uint_word

Connection = psycopg.Connection[Any]

REFUSALS_KEPT_DAYS = 90
REFUSALS_EACH_MAX = 5_000
"""Of one partner, the newest: whoever sends garbage all day pushes out what it sent, and nobody else's."""
REFUSALS_PRUNED_MAX = 100
"""Rows that each new one removes once they are too old."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Who may ask: `address` signs, `grid` bounds what is asked, the budgets how often and how closely."""

    partner_id: int
    audience: str
    address: bytes
    grid: PolicyGrid
    asks_per_day_max: int
    narrowings_max: int
    registered_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was taken in. `cohort` is the step that its policy's cohort reached; `used_at` when it was
    shown.
    """

    id: bytes
    partner_id: int
    cohort: int
    signed: SignedRequest
    asked_at: datetime
    expires_at: datetime
    used_at: datetime | None
    nullifier: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one proof was not taken."""

    no: int
    at: datetime
    partner_id: int
    request_id: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What a member decided about a request, and whether it had agreed to show itself in that scope before."""

    asked: Asked
    given: bool
    assisted: bool
    linkable: bool
    decided_at: datetime
    no: int

    @property
    def epoch(self) -> int:
        """The epoch that was asked about."""
        return self.asked.signed.request.epoch


_PARTNER = """
SELECT partner_id, audience, address, grid, asks_per_day_max, narrowings_max, registered_at, ended_at FROM api.partner
"""
_ASKED = """
SELECT r.id, r.partner_id, r.cohort, r.body, r.asked_at, r.expires_at, u.used_at, u.nullifier
FROM api.proof_request r LEFT JOIN api.tier_use u ON u.request_id = r.id
"""


def partner(connection: Connection, partner_id: int) -> Partner | None:
    row = connection.execute(f"{_PARTNER} WHERE partner_id = %s", (partner_id,)).fetchone()
    return None if row is None else _partner(row)


def partners(connection: Connection, *, after: int, limit: int) -> list[Partner]:
    """By number, ended ones included."""
    rows = connection.execute(f"{_PARTNER} WHERE partner_id > %s ORDER BY partner_id LIMIT %s", (after, limit))
    return [_partner(row) for row in rows]


def _partner(row: tuple[Any, ...]) -> Partner:
    number, audience, address, grid, *rest = row
    return Partner(number, audience, address, PolicyGrid.from_json(grid), *rest)


def register(connection: Connection, new: Partner) -> None:
    """Keep a new partner; nothing where its number or audience is taken."""
    connection.execute(
        "INSERT INTO api.partner (partner_id, audience, address, grid, asks_per_day_max, narrowings_max,"
        " registered_at) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            new.partner_id,
            new.audience,
            new.address,
            Jsonb(new.grid.to_json()),
            new.asks_per_day_max,
            new.narrowings_max,
            new.registered_at,
        ),
    )


def end_partner(connection: Connection, partner_id: int, now: datetime) -> None:
    """It asks no more from now on; for ever."""
    connection.execute(
        "UPDATE api.partner SET ended_at = %s WHERE partner_id = %s AND ended_at IS NULL", (now, partner_id)
    )


def lock_partner(connection: Connection, partner_id: int) -> None:
    """Let one request of a partner be decided at a time: what it asked before is what is counted."""
    connection.execute("SELECT FROM api.partner WHERE partner_id = %s FOR NO KEY UPDATE", (partner_id,))


def asked(connection: Connection, request_id: bytes) -> Asked | None:
    row = connection.execute(f"{_ASKED} WHERE r.id = %s", (request_id,)).fetchone()
    return None if row is None else _asked(row)


def _asked(row: tuple[Any, ...]) -> Asked:
    request_id, partner_id, cohort, body, *rest = row
    return Asked(request_id, partner_id, cohort, SignedRequest.from_json(body), *rest)


def nonce_used(connection: Connection, partner_id: int, nonce: bytes) -> bool:
    row = connection.execute(
        "SELECT FROM api.proof_request WHERE partner_id = %s AND nonce = %s", (partner_id, nonce)
    ).fetchone()
    return row is not None


def asked_before_last(connection: Connection, partner_id: int, requests: int, *, since: datetime) -> datetime | None:
    """When the oldest of a partner's newest so many requests was asked; None where there are fewer since then."""
    row = connection.execute(
        "SELECT asked_at FROM api.proof_request WHERE partner_id = %s AND asked_at > %s"
        " ORDER BY asked_at DESC LIMIT 1 OFFSET %s",
        (partner_id, since, requests - 1),
    ).fetchone()
    return None if row is None else row[0]


def questions_since(connection: Connection, partner_id: int, since: datetime) -> list[tuple[Question, int]]:
    """The questions that a partner asked, each with every epoch about which it did. As many as its budgets let it."""
    rows = connection.execute(
        "SELECT question, epoch FROM api.partner_question WHERE partner_id = %s AND asked_at > %s"
        " ORDER BY question, epoch",
        (partner_id, since),
    )
    return [(Question.of(Policy.unpacked(int.from_bytes(word, "big"))), epoch) for word, epoch in rows]


def remember(connection: Connection, partner_id: int, question: Question, *, epoch: int, now: datetime) -> None:
    """Keep that a partner asked this about members of the epoch."""
    connection.execute(
        "INSERT INTO api.partner_question (partner_id, question, epoch, asked_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (partner_id, question, epoch) DO UPDATE SET asked_at = excluded.asked_at",
        (partner_id, uint_word(question.as_policy().packed()), epoch, now),
    )


_FITTING = """
SELECT count(*) FROM (
    SELECT FROM settlement.tier_leaf
    WHERE epoch = %(epoch)s AND attributes IS NOT NULL
      AND %(tier_mask)s >> (get_byte(attributes, 1) & 15) & 1 = 1
      AND substring(attributes FROM 3 FOR 4) <= %(key_epoch_max)s
      AND substring(attributes FROM 7 FOR 4) >= %(valid_on)s
      AND substring(attributes FROM 11 FOR 4) <= %(since_max)s
      AND substring(attributes FROM %(metric)s FOR 8) BETWEEN %(lo)s AND %(hi)s
    LIMIT %(most)s
) fitting
"""
"""Attributes are packed, the most significant byte first, so that slices of them compare as the numbers do
(`proofs.tier.attributes.Said`): programme and tier 2 bytes, key epoch 4, valid until 4, since 4, spend 8, points 8.
"""
_AT_OF_METRIC = {Metric.SPEND: 15, Metric.POINTS: 23}


def fitting(connection: Connection, question: Question, *, epoch: int, most: int) -> int:
    """How many members of an epoch fit a question, none counted beyond `most`."""
    policy = question.as_policy()
    row = connection.execute(
        _FITTING,
        {
            "epoch": epoch,
            "tier_mask": policy.tier_mask,
            "key_epoch_max": policy.key_epoch_max.to_bytes(4, "big"),
            "valid_on": policy.valid_on.to_bytes(4, "big"),
            "since_max": policy.since_max.to_bytes(4, "big"),
            "metric": _AT_OF_METRIC[Metric(policy.metric)],
            "lo": policy.lo.to_bytes(8, "big"),
            "hi": policy.hi.to_bytes(8, "big"),
            "most": most,
        },
    ).fetchone()
    return int(row[0]) if row else 0


def ask(connection: Connection, signed: SignedRequest, *, cohort: int, now: datetime, expires_at: datetime) -> None:
    """Keep a request that may be asked."""
    request = signed.request
    connection.execute(
        "INSERT INTO api.proof_request"
        " (id, partner_id, nonce, scope, policy, epoch, cohort, body, asked_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            signed.digest,
            request.partner_id,
            request.nonce,
            uint_word(request.scope),
            uint_word(request.policy),
            request.epoch,
            cohort,
            Jsonb(signed.to_json()),
            now,
            expires_at,
        ),
    )


def use(connection: Connection, asked: Asked, nullifier: bytes, now: datetime) -> None:
    """Use up a request and a nullifier in its scope. Raises UniqueViolation when either was used before; whoever comes
    second at the same moment waits for the first one's commit, and then does.
    """
    connection.execute(
        "INSERT INTO api.tier_use (request_id, scope, nullifier, used_at) VALUES (%s, %s, %s, %s)",
        (asked.id, uint_word(asked.signed.request.scope), nullifier, now),
    )


def refuse(connection: Connection, *, partner_id: int, request_id: bytes | None, reason: str, now: datetime) -> None:
    """Note why a proof was not taken, and forget a little of what is too old, or too much of this partner's."""
    connection.execute(
        "DELETE FROM api.tier_refusal WHERE no IN (SELECT no FROM api.tier_refusal WHERE at < %s ORDER BY at LIMIT %s)",
        (now - timedelta(days=REFUSALS_KEPT_DAYS), REFUSALS_PRUNED_MAX),
    )
    connection.execute(
        "INSERT INTO api.tier_refusal (at, partner_id, request_id, reason) VALUES (%s, %s, %s, %s)",
        (now, partner_id, request_id, reason),
    )
    connection.execute(
        "DELETE FROM api.tier_refusal WHERE no IN (SELECT no FROM api.tier_refusal WHERE partner_id = %s"
        " ORDER BY no DESC LIMIT %s OFFSET %s)",
        (partner_id, REFUSALS_PRUNED_MAX, REFUSALS_EACH_MAX),
    )


def refusals(connection: Connection, *, reason: str | None, below: int, limit: int) -> list[Refused]:
    """Newest first."""
    rows = connection.execute(
        "SELECT no, at, partner_id, request_id, reason FROM api.tier_refusal WHERE no < %(below)s"
        " AND (%(reason)s::text IS NULL OR reason = %(reason)s) ORDER BY no DESC LIMIT %(limit)s",
        {"reason": reason, "below": below, "limit": limit},
    )
    return [Refused(*row) for row in rows]


def refusals_by_reason(connection: Connection) -> dict[str, int]:
    """How many of each reason are kept."""
    rows = connection.execute("SELECT reason, count(*) FROM api.tier_refusal GROUP BY reason ORDER BY reason")
    return dict(rows.fetchall())


def decide(connection: Connection, member_no: int, asked: Asked, *, given: bool, assisted: bool, now: datetime) -> None:
    """Keep what a member decided about a request; nothing where it has decided before."""
    connection.execute(
        "INSERT INTO api.proof_consent (member_no, request_id, scope, given, assisted, decided_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (member_no, asked.id, uint_word(asked.signed.request.scope), given, assisted, now),
    )


_CONSENTS = """
SELECT r.id, r.partner_id, r.cohort, r.body, r.asked_at, r.expires_at, u.used_at, u.nullifier,
       c.given, c.assisted, EXISTS (
           SELECT FROM api.proof_consent o WHERE o.member_no = c.member_no AND o.scope = c.scope AND o.given
           AND o.no < c.no
       ), c.decided_at, c.no
FROM api.proof_consent c
JOIN api.proof_request r ON r.id = c.request_id LEFT JOIN api.tier_use u ON u.request_id = r.id
WHERE c.member_no = %s
"""


def consent(connection: Connection, member_no: int, request_id: bytes) -> Consent | None:
    row = connection.execute(f"{_CONSENTS} AND c.request_id = %s", (member_no, request_id)).fetchone()
    return None if row is None else _consent(row)


def consents(connection: Connection, member_no: int, *, below: int, limit: int) -> list[Consent]:
    """Newest first."""
    rows = connection.execute(f"{_CONSENTS} AND c.no < %s ORDER BY c.no DESC LIMIT %s", (member_no, below, limit))
    return [_consent(row) for row in rows]


def _consent(row: tuple[Any, ...]) -> Consent:
    return Consent(_asked(row[:8]), *row[8:])
