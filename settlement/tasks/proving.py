"""Assisted proving as a task: what was sealed for the workers comes by the queue, the answer goes into a row.

Invariants: the message holds ciphertext alone; no lease is held, because proving touches nothing of anybody else's; a
task whose worker died is handed out again, and leaves no second answer; what is logged is one word. Called by `app`;
whoever asks puts the message in by `publisher`.
"""

from __future__ import annotations

from typing import Final

import psycopg
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from settlement.tasks import broker
from settlement.tasks.ticks import TIERS
from settlement.tasks.works import Works
from settlement.tiers.proving import JOB_S_MAX, PROVE_S_MAX, Prover, ProverAway, Sealed, prove

NAME: Final = "tongdui.prove"
SPARE_S: Final = 10
"""So long before the task's own end the prover is given up, so that who waits hears of it."""
log = structlog.get_logger("tongdui.tasks")


def take(works: Works, job: str, public_key: str, ciphertext: str) -> str:
    """Prove what was asked; how it went, in a word."""
    settings = works.settings
    prover = Prover(
        vault=works.vault(),
        trees=works.trees(),
        circuit=settings.circuit_folder,
        production=settings.environment == "production",
        seconds_max=max(1, min(PROVE_S_MAX, settings.task_seconds_max - SPARE_S)),
    )
    try:
        with works.connection() as conn:
            word = prove(conn, prover, Sealed(job, public_key, ciphertext), now=works.now_s())
    except psycopg.Error:  # whoever waits for the answer asks again
        word = "away"
    log.info("assisted proof", outcome=word)
    return word


def send(app: Celery, sealed: Sealed) -> None:
    """Put a sealed request into the workers' queue. After a while nobody waits for the answer, so it is dropped. Raises
    `ProverAway` when the queue does not take it.
    """
    arguments = [sealed.id, sealed.public_key, sealed.ciphertext]
    try:
        app.send_task(
            NAME,
            args=arguments,
            queue=TIERS,
            expires=JOB_S_MAX,
            argsrepr="(sealed)",
            confirm_timeout=broker.CONFIRM_S_MAX,
        )
    except (OperationalError, psycopg.Error) as error:
        raise ProverAway("the queue does not take the job") from error
