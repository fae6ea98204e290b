"""One turn of one tick: lead, count the attempt, do it, say how it went. Every task of every queue goes through here.

Invariants: the outcome of a turn is in the table, never in the queue: whatever happens, the message is done with, and
the next beat asks again. What failed because a server was away is not held against the tick; anything else is, and a
worker that died in the middle is. No turn raises but for the end of its process. Called by `app`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import psycopg
import structlog

from settlement.alliance import BetweenHubs, NotFounded
from settlement.chain.client import ChainError
from settlement.embedded_chain.process import NodeFailed
from settlement.lease import LeaseHeld, LeaseLost
from settlement.tables import Conn, StateMoved
from settlement.tasks import attempts
from settlement.tasks.asking import Turn
from settlement.tasks.attempts import Parked
from settlement.tasks.leading import leading
from settlement.tasks.ticks import Tick
from settlement.tasks.works import Works
from settlement.watch import alerts

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, ChainError, NodeFailed)
"""A server does not answer, or refuses to (a node that is asked too often): nobody's fault here, and nothing a release
could mend.
"""
OVERTAKEN = (LeaseHeld, LeaseLost, StateMoved, BetweenHubs)
"""Somebody else sends, took over in the middle, or takes the ledger to another hub; they go on with what is stored."""
log = structlog.get_logger("tongdui.tasks")


class Outcome(StrEnum):
    """How a turn ended."""

    DONE = "done"
    """There was something to do, or there was not."""
    LED_ELSEWHERE = "led-elsewhere"
    """Another worker is at it."""
    PARKED = "parked"
    """It failed too often; a person decides."""
    NOT_FOUNDED = "not-founded"
    """There is no alliance on a chain yet."""
    AWAY = "away"
    """A server does not answer."""
    OVERTAKEN = "overtaken"
    """Another worker took over in the middle."""
    FAILED = "failed"
    """It did not work, and was counted."""


def take(tick: Tick, works: Works) -> Outcome:
    """Do what `tick` finds to do."""
    words = log.bind(task=tick.name)
    try:
        with works.connection() as conn:
            return _led(tick, works, conn, words)
    except psycopg.Error as error:
        words.warning("away", error=_said(error))
        return Outcome.AWAY


def _led(tick: Tick, works: Works, conn: Conn, words: Any) -> Outcome:
    try:
        with leading(conn, works.dsn, tick.lease, wait_s_max=works.lead_wait_s):
            return _counted(tick, Turn(works, conn), words)
    except LeaseHeld as held:
        words.info("led elsewhere", holder=held.holder)
        return Outcome.LED_ELSEWHERE


def _counted(tick: Tick, turn: Turn, words: Any) -> Outcome:
    most = turn.works.settings.attempts_max
    try:
        attempts.begin(turn.conn, tick.name, attempts_max=most)
    except Parked as parked:
        if parked.now:
            alerts.report(turn.conn, attempts.SOURCE, attempts.parked(tick.name, attempts.DIED))
        return Outcome.PARKED
    try:
        told = tick.run(turn)
    except NotFounded:
        told, outcome = {}, Outcome.NOT_FOUNDED
    except AWAY + OVERTAKEN as error:
        attempts.excused(turn.conn, tick.name, _said(error))
        words.warning("interrupted", error=_said(error))
        return Outcome.AWAY if isinstance(error, AWAY) else Outcome.OVERTAKEN
    except Exception as error:  # noqa: BLE001  # whatever it was, the end of its time too, it is counted and told
        return _failed(tick, turn, error, words)
    else:
        outcome = Outcome.DONE
    attempts.done(turn.conn, tick.name)
    if told:
        words.info(outcome.value, **told)
    return outcome


def _failed(tick: Tick, turn: Turn, error: Exception, words: Any) -> Outcome:
    words.error("failed", exc_info=error)
    with turn.works.connection() as conn:  # the turn's own may have been interrupted in the middle of a statement
        if not attempts.failed(conn, tick.name, _said(error), attempts_max=turn.works.settings.attempts_max):
            return Outcome.FAILED
        alerts.report(conn, attempts.SOURCE, attempts.parked(tick.name, _said(error)))
        return Outcome.PARKED


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
