"""The Celery application: queues, limits, and one task for each tick.

Invariants: a task is acknowledged after it was done, and handed out again when its worker is lost; nothing is kept of
results, for what was done is in the tables; no worker is talked to from outside, so none needs a queue of its own; the
schedule keeps no state, because every tick finds out for itself what is due. Called by the command and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from celery import Celery

from settlement.tasks import broker, proving, turn
from settlement.tasks.ticks import TICKS, Tick
from settlement.tasks.works import Works

SOFT_S: Final = 10
"""So long before its end a task hears of it."""
EXPIRES_AFTER_PERIODS: Final = 3
"""A message of the beat that waited so long is dropped: a later one asks the same."""
TURNS_PER_PROCESS_MAX: Final = 2_000
"""Then the process makes room for a new one: whatever a library leaks, it leaks no further."""
PREFIX: Final = "tongdui."


def build(works: Works, ticks: Sequence[Tick] = TICKS) -> Celery:
    """The application over `works`, with its tasks registered."""
    app = Celery("tongdui", set_as_current=True)
    app.conf.update(_everywhere(works.settings.task_seconds_max))
    app.conf.update(_queues(works))
    on = [tick for tick in ticks if tick.name not in works.settings.tasks_off]
    app.conf.beat_schedule = {tick.name: scheduled(tick) for tick in on}
    for tick in on:
        _register(app, tick, works)
    if works.settings.tier_assisted:
        _register_proving(app, works)
    return app


def publisher(dsn: str, broker_url: str | None) -> Celery:
    """An application that only puts messages into the queues, for whoever is no worker."""
    app = Celery("tongdui", set_as_current=False)
    app.conf.update(_everywhere(SOFT_S))
    app.conf.update(_broker(dsn, broker_url, redelivery_seconds=SOFT_S))
    return app


def scheduled(tick: Tick) -> dict[str, Any]:
    """The beat's entry of a tick."""
    options = {
        "queue": tick.queue,
        "expires": EXPIRES_AFTER_PERIODS * tick.every_s,
        "confirm_timeout": broker.CONFIRM_S_MAX,
    }
    return {"task": PREFIX + tick.name, "schedule": tick.every_s, "options": options}


def send(app: Celery, tick: Tick) -> None:
    """Ask a tick now, besides the beat."""
    app.send_task(PREFIX + tick.name, queue=tick.queue, confirm_timeout=broker.CONFIRM_S_MAX)


def _register(app: Celery, tick: Tick, works: Works) -> None:
    def task() -> str:
        return turn.take(tick, works).value

    app.task(task, name=PREFIX + tick.name, ignore_result=True)


def _register_proving(app: Celery, works: Works) -> None:
    def task(job: str, public_key: str, ciphertext: str) -> str:
        return proving.take(works, job, public_key, ciphertext)

    app.task(task, name=proving.NAME, ignore_result=True)


def _queues(works: Works) -> dict[str, Any]:
    settings = works.settings
    return _broker(works.dsn, settings.broker_url, redelivery_seconds=settings.redelivery_seconds)


def _broker(dsn: str, broker_url: str | None, *, redelivery_seconds: int) -> dict[str, Any]:
    if broker_url is None:
        return broker.in_database(dsn, redelivery_seconds=redelivery_seconds)
    return broker.in_rabbitmq(broker_url)


def _everywhere(task_seconds_max: int) -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "beat_scheduler": "celery.beat:Scheduler",
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "enable_utc": True,
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_create_missing_queues": False,
        "task_default_exchange": broker.EXCHANGE,
        "task_default_queue": broker.QUEUES[0],
        "task_ignore_result": True,
        "task_reject_on_worker_lost": True,
        "task_serializer": "json",
        "task_soft_time_limit": task_seconds_max - SOFT_S // 2,
        "task_time_limit": task_seconds_max,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_max_tasks_per_child": TURNS_PER_PROCESS_MAX,
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
    }
