"""`python -m api.serve`: the API as a process, on loopback unless told otherwise.

Reads the settings, brings an embedded database to the newest migration (a database of one's own is migrated by
`make migrate`), opens the door, lets the clockwork tick and hands it to uvicorn. Ctrl-C or SIGTERM: no new request is
taken, those at hand are answered, then the ledger closes. This is the one place of the room that looks at the clock.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial

import psycopg
import structlog
import uvicorn
from pydantic import ValidationError

from api.app import create_app
from api.beside import beside
from api.clock import TestClock
from api.clockwork import ticking
from api.door import open_door
from api.settings import Settings
from api.tiers.desk import Send, TierDesk
from ledger.postgres.embedded import EmbeddedPostgresError
from ledger.postgres.migrated import Behind, migrated_database
from proofs.tier.circuit_folder import CircuitUnfit
from settlement.mirrors import Mirror
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.settings import MirrorsSettings
from settlement.sealing.desk import LocalReceiptKey
from settlement.sealing.inclusions import Inclusions
from settlement.tiers.clock import EpochClock
from settlement.tiers.trees import Trees
from settlement.vault import Vault

GRACE_SECONDS_MAX = 20
KEEP_ALIVE_SECONDS = 30
CONNECTIONS_MAX = 1_000
log = structlog.get_logger(__name__)


def log_plainly() -> None:
    """One JSON object a line; a traceback without its variables, because keys are among them."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def _mirrors(settings: Settings) -> list[Mirror]:
    """Where batches are read: this machine's folder first, then whatever mirrors are named."""
    return [FolderMirror(settings.published_folder), *(each.open() for each in MirrorsSettings().mirrors)]


def _queue(dsn: str, settings: Settings) -> Send:
    """Where requests for assisted proving go."""
    from settlement.tasks import app, proving  # noqa: PLC0415 - loads the chain's client, which no other door needs

    return partial(proving.send, app.publisher(dsn, settings.broker_url))


def _seal(dsn: str, settings: Settings, at_s: int) -> Mapping[str, int]:
    """Epochs at a second of a sandbox's clock, by the keys and the chain that the tasks of this folder have."""
    from settlement.settings import SettlementSettings  # noqa: PLC0415 - as the next one
    from settlement.tasks import by_hand  # noqa: PLC0415 - loads the chain's client, which costs seconds of a start

    environment = settings.environment or "development"
    try:
        of_tasks = SettlementSettings(var=settings.var, database_url=settings.database_url, environment=environment)
    except ValidationError as error:
        log.warning("epochs not sealed", at=at_s, error=str(error))
        return {}
    return by_hand.seal_at(of_tasks, dsn, at_s)


def tier_desk(dsn: str, settings: Settings, key: bytes | None) -> TierDesk:
    """What the doors of tier proofs stand on. Raises `CircuitUnfit`."""
    return TierDesk(
        circuits=settings.tier_circuits(),
        clock=EpochClock(settings.tier_epoch_seconds, settings.tier_epochs_start),
        vault=Vault(key) if key else None,
        trees=Trees(settings.var / "tiers") if key else None,
        send=_queue(dsn, settings) if settings.tier_assisted else None,
        seal=None if settings.production or key is None else partial(_seal, dsn, settings),
    )


def serve(dsn: str, settings: Settings, *, ticks: bool = True) -> None:
    """Answer requests over the migrated database at `dsn` until told to stop. With `ticks` what falls due by the clock
    of a sandbox is done as time goes on; without, only when it is moved. In production periodic tasks do it.
    """
    log_plainly()
    key, receipt_key, production = settings.vault_key(), settings.receipt_key(), settings.production
    clock = TestClock(now)
    with (
        open_door(
            dsn,
            production=production,
            readers_max=settings.readers_max,
            now=now if production else clock,
            move_clock=None if production else clock.move_to,
            receipt_key=LocalReceiptKey(receipt_key) if receipt_key else None,
            months_over=settings.over,
            inclusions=Inclusions(vault=Vault(key), mirrors=_mirrors(settings)) if key else None,
            tiers=tier_desk(dsn, settings, key),
        ) as door,
        ticking(door) if ticks and not production else nullcontext(),
        beside(settings, due=production) if settings.tasks else nullcontext(),
    ):
        uvicorn.run(
            create_app(door),
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS_MAX,
        )


def main() -> None:
    """Serve what the settings name."""
    # uvicorn raises the signal it was stopped by once more: dying of it there would close nothing.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        settings = Settings()
        with migrated_database(settings.database_url, settings.var / "postgres") as dsn:
            serve(dsn, settings)
    except (Behind, CircuitUnfit, EmbeddedPostgresError, OSError, ValueError, psycopg.OperationalError) as refused:
        raise SystemExit(f"api.serve: {refused}") from refused


def _parser() -> argparse.ArgumentParser:
    """It takes no arguments; whoever asks for help, or mistypes, should not start a server."""
    return argparse.ArgumentParser(
        prog="python -m api.serve",
        description="Serve the API, on loopback unless told otherwise, until Ctrl-C.",
        epilog="Settings are environment variables TONGDUI_*: docs/api.md, docs/operations.md.",
    )


if __name__ == "__main__":
    _parser().parse_args()
    main()
