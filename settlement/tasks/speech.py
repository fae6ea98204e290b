"""How the processes of this room speak: one JSON object a line, Celery's own words among them.

Invariants: a traceback comes without its variables, because keys are among them; what a turn did is one line. Called by
the command.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog
from celery.signals import setup_logging

QUIET: Final = dict.fromkeys(("celery.app.trace", "celery.beat", "celery.worker.strategy", "httpx2"), logging.WARNING)
"""Loggers that say a line for each message or request: a turn that did something says so itself."""

_BEFORE: Final[list[Any]] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
]


def configure() -> None:
    """Let everybody in this process, and in those it forks, speak so; on standard error."""
    structlog.configure(
        processors=[*_BEFORE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_BEFORE,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    setup_logging.connect(_as_it_is, weak=False)


def _as_it_is(**_: object) -> None:
    """Celery sets no logging up where somebody listens to this signal."""
