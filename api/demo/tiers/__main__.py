"""`python -m api.demo.tiers`: the tier part of the demonstration by itself, on the alliance that `make demo` founded.

    (nothing)                 make a proof and show it around once more, beside a demonstration that serves or without
    now                       the alliance's time in Unix seconds: its chain's, which the demonstration has moved ahead
    answer REQUEST RESPONSE   let the demonstration's member answer a partner's request.json, in its browser

Exit codes: 0 all as it must be; 1 something was taken or refused that must not be; 2 it could not run. Takes the
settings of the demonstration from the environment.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from pydantic import ValidationError
from rich.console import Console

from api.demo.console import show_tiers
from api.demo.progress import Phases
from api.demo.report import broken
from api.demo.settings import DemoSettings
from api.demo.settling import Keys, found_settlement
from api.demo.tiers import showing
from api.demo.tiers.door import Unexpected
from api.demo.tiers.programs import Missing
from api.demo.tiers.scene import Ground, ground, let_in
from api.demo.tiers.wallet import NotAnswered, taken_up, wallet
from api.serve import now
from ledger.poster import Poster
from ledger.postgres.embedded import EmbeddedPostgresError
from ledger.postgres.migrated import Behind, migrated_database
from ledger.store import open_store
from proofs.tier.decoding import DecodingError
from proofs.tier.request import REQUEST_BYTES_MAX, SignedRequest
from settlement.alliance import AllianceError
from settlement.chain.client import Chain, ChainError
from settlement.embedded_chain import process
from settlement.embedded_chain.process import NodeFailed

WELL, WRONG, CANNOT_RUN = 0, 1, 2


class NoDemonstration(Exception):
    """No alliance was founded in this folder."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    chosen = _parser().parse_args(words)
    console = Console()
    try:
        with _alliance(DemoSettings()) as at:
            return _do(chosen, at, console)
    except (NotAnswered, Unexpected) as error:
        return _say(console, f"Not answered: {error}", WRONG)
    except (Missing, NoDemonstration, DecodingError, OSError, ValidationError, psycopg.Error, Behind) as error:
        return _say(console, f"It cannot run: {error}", CANNOT_RUN)
    except (EmbeddedPostgresError, AllianceError, ChainError, NodeFailed) as error:
        return _say(console, f"It cannot run: {error}", CANNOT_RUN)


def _do(chosen: argparse.Namespace, at: Ground, console: Console) -> int:
    match chosen.command:
        case "now":
            sys.stdout.write(f"{at.now()}\n")
            return WELL
        case "answer":
            _answer(at, chosen.request, chosen.response)
            return WELL
        case _:
            told = showing.show(at, Phases(console))
            show_tiers(told, console)
            return WRONG if broken(told) else WELL


def _answer(at: Ground, request: Path, response: Path) -> None:
    """What the member's device answers to the request in a file, into another."""
    with request.open("rb") as file:
        signed = SignedRequest.decode(file.read(REQUEST_BYTES_MAX + 1), request.name)
    keys = at.settling.keys
    if not (keys.folder / "wallet.json").exists():
        raise NotAnswered("no device has a secret yet: run `python -m api.demo.tiers` first")
    with ExitStack() as stack:
        found, _ = wallet(stack, at.folder / "wallet")
        device = taken_up(found, keys.folder / "wallet.json", "")
        answered = let_in(at, stack.enter_context(at.operator()), device).answer(signed)
    response.write_text(json.dumps(answered["response"]) + "\n", encoding="utf-8")
    sys.stdout.write(f"{device.member} has shown {signed.request.audience}: {answered['predicate']}\n")


@contextmanager
def _alliance(settings: DemoSettings) -> Iterator[Ground]:
    """The alliance in the folder; servers that run for somebody else are used, and left running."""
    var = settings.var
    if not (var / "addresses.json").exists():
        raise NoDemonstration(f"no alliance was founded in {var}: make demo does that")
    own, chain = Keys(var / "keys"), var / "chain"
    with migrated_database(settings.database_url, var / "postgres") as dsn, ExitStack() as stack:
        process.use(chain)
        node = process.attach(chain) or stack.enter_context(process.start(chain, fund=[]))
        conn = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        poster = stack.enter_context(Poster(open_store(dsn)))
        settling = found_settlement(conn, poster, Chain(node.url), own, var)
        yield ground(settling, dsn, var, now)


def _say(console: Console, sentence: str, code: int) -> int:
    console.print(sentence, style="bold", highlight=False, markup=False, soft_wrap=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m api.demo.tiers",
        description="The tier part of the demonstration, on the alliance that make demo founded.",
        epilog="Exit codes: 0 all as it must be; 1 something was taken or refused that must not be; 2 could not run.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("now", help="the alliance's time in Unix seconds")
    answer = commands.add_parser("answer", help="let the demonstration's member answer a partner's request")
    answer.add_argument("request", type=Path, help="the request.json that the partner signed")
    answer.add_argument("response", type=Path, help="where the response.json goes")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(CANNOT_RUN))  # dying of it would leave servers of its own behind
    sys.exit(main())
