"""Where tasks wait: queues inside our own PostgreSQL, or RabbitMQ by its address.

Invariants: a task that was published is on disk before the publisher goes on, and is there until a worker has said that
it is done; no queue takes what it cannot route. RabbitMQ hands what was delivered too often, or rejected, to the queue
of the dead. Called by `settlement.tasks.app`.
"""

from __future__ import annotations

from typing import Any, Final

from kombu import Connection, Exchange, Queue
from psycopg.conninfo import conninfo_to_dict, make_conninfo

EXCHANGE: Final = "tongdui"
DEAD: Final = "tongdui.dead"
QUEUES: Final = ("tongdui.ledger", "tongdui.settlement", "tongdui.tiers")
DELIVERIES_MAX: Final = 20
"""Of one message by RabbitMQ. A task whose worker dies is counted and parked long before by `attempts`."""
DEAD_MESSAGES_MAX: Final = 10_000
QUEUED_MESSAGES_MAX: Final = 10_000
KEPT_QUEUES: Final = "settlement.tasks.kept_queues:Transport"
POLL_S: Final = 1.0
"""How long the queue in the database is not looked at when no notification comes."""
NOTIFY_MS: Final = 100
POOL_CONNECTIONS: Final = 4
CONNECT_S_MAX: Final = 5
CONFIRM_S_MAX: Final = 10


def in_database(dsn: str, *, redelivery_seconds: int) -> dict[str, Any]:
    """Celery's settings for queues in the database at `dsn`. The exchange is a direct one: for one of topics the client
    of kombu 5.7 calls a function that PGMQ has with other arguments.
    """
    return {
        "broker_url": "pgmq://",
        "broker_transport": KEPT_QUEUES,
        "broker_transport_options": {
            # Not an address: the client would read no socket folder out of one.
            "conn_string": make_conninfo("", **dict(conninfo_to_dict(dsn))),
            "init_extension": False,
            "use_notify": True,
            "notify_throttle_interval_ms": NOTIFY_MS,
            "polling_interval": POLL_S,
            "wait_time_seconds": 0,
            "visibility_timeout": redelivery_seconds,
            "pool_size": POOL_CONNECTIONS,
            "pool_timeout": CONNECT_S_MAX,
        },
        "task_default_exchange_type": "direct",
        "task_queues": [_queue(name, "direct", {}) for name in QUEUES],
    }


def in_rabbitmq(url: str) -> dict[str, Any]:
    """Celery's settings for RabbitMQ at `url`. Queues are replicated where there is more than one node."""
    kept = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERIES_MAX,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": QUEUED_MESSAGES_MAX,
    }
    return {
        "broker_url": url,
        # Without it a message that was on its way when the broker died is lost, and nobody hears of it.
        "broker_transport_options": {"confirm_publish": True},
        # Delayed messages, should a task ever send one, pass only through exchanges of topics.
        "task_default_exchange_type": "topic",
        "task_queues": [_queue(name, "topic", kept) for name in QUEUES],
    }


def declare(connection: Connection) -> None:
    """The queue of the dead. RabbitMQ drops what it should keep there as long as there is none."""
    arguments = {"x-queue-type": "quorum", "x-max-length": DEAD_MESSAGES_MAX}
    exchange = Exchange(DEAD, type="topic", durable=True)
    queue = Queue(DEAD, exchange=exchange, routing_key="#", durable=True, queue_arguments=arguments)
    queue(connection.default_channel).declare()


def _queue(name: str, kind: str, arguments: dict[str, Any]) -> Queue:
    exchange = Exchange(EXCHANGE, type=kind, durable=True)
    return Queue(name, exchange=exchange, routing_key=name, durable=True, queue_arguments=arguments)
