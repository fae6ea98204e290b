"""The command `python -m api.demo`: read the environment, run the demonstration, answer its exit code (docs/demo.md).

The one place of the demonstration that looks at the clock, and the one that turns errors into a sentence. Called by
`__main__`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from pydantic import ValidationError
from rich.console import Console

from api.demo.auditing import AuditFailed
from api.demo.founding import FoundingRefused
from api.demo.purchases import FileRefused
from api.demo.run import AlreadyRunning, NoFolder, OtherAlliance, run
from api.demo.settings import DemoSettings
from api.demo.settling import Stuck
from ledger.postgres.embedded import EmbeddedPostgresError
from ledger.postgres.migrated import Behind
from settlement.alliance import AllianceError
from settlement.chain.client import ChainUnclear
from settlement.embedded_chain.process import NodeFailed
from settlement.networks import NotAddresses

WRONG, CANNOT_RUN = 1, 2
CANNOT = (
    Behind,
    FileRefused,
    NoFolder,
    OtherAlliance,
    AlreadyRunning,
    FoundingRefused,
    AllianceError,
    NodeFailed,
    NotAddresses,
    EmbeddedPostgresError,
    ValidationError,
)


def main() -> int:
    """Run it; whatever is a user's to repair is said in one line."""
    console = Console()
    try:
        return run(DemoSettings(), console, datetime.now(UTC))
    except CANNOT as error:
        _say(console, f"It cannot run: {error}")
        return CANNOT_RUN
    except (psycopg.OperationalError, ChainUnclear) as error:
        if interrupted(error):
            raise KeyboardInterrupt from error
        _say(console, f"A server went away: {error}")
        _say(console, "Nothing that was answered is lost: run it again and it goes on from here.")
        return CANNOT_RUN
    except (AuditFailed, Stuck) as error:
        _say(console, f"Not all is well: {error}")
        return WRONG


def interrupted(error: BaseException) -> bool:
    """Whether it came of tidying up after Ctrl-C, which may have cut a statement short."""
    behind = error.__context__
    return behind is not None and (isinstance(behind, KeyboardInterrupt) or interrupted(behind))


def _say(console: Console, sentence: str) -> None:
    """One sentence in one piece: a path in it can be copied, however narrow the terminal."""
    console.print(sentence, style="bold", highlight=False, markup=False, soft_wrap=True)
