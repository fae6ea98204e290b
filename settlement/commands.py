"""What the commands of this room are made of: subcommands, the node that they ask, words, exit codes.

Invariant: what was done goes to standard output, why something was not to standard error, under the program's name.
Called by the commands of this room.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from settlement.chain.client import Chain
from settlement.posting import leads_elsewhere
from settlement.settings import SettlementSettings

DONE: Final = 0
REFUSED: Final = 1
"""Not done, or not as it should be; the words say why."""
WRONG_USE: Final = 2
AWAY: Final = 3
"""Node or database did not answer, or a block is not final yet: the same again later."""
YEAR_3000_S: Final = 32_503_680_000


def subcommands(
    prog: str, about: str, codes: str, says: Mapping[str, str]
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of a program, and those of its subcommands, which `says` has with a line about each; `codes` says what
    it exits with.
    """
    whole = argparse.ArgumentParser(prog=f"python -m {prog}", description=about, epilog=f"Exit codes: {codes}")
    commands = whole.add_subparsers(dest="command", metavar="command", required=True)
    return whole, {name: commands.add_parser(name, help=words, description=words) for name, words in says.items()}


def add_node(command: argparse.ArgumentParser, node: str = "the node") -> None:
    """The options that name a node; `node` says which one is meant."""
    command.add_argument("--rpc", required=True, metavar="URL", help=node)
    command.add_argument("--confirmations", type=int, help="blocks that make one final, without a finalized tag")


def asked_chain(asked: argparse.Namespace) -> Chain:
    """The chain behind the node that was named."""
    return Chain(asked.rpc, confirmations=asked.confirmations)


def add_check(command: argparse.ArgumentParser) -> None:
    """The option that names a second node."""
    words = "a second node, which has to say the same; default: TONGDUI_RPC_CHECK_URL"
    command.add_argument("--check-rpc", metavar="URL", help=words)


def second_url(first: str, named: str | None, settings: SettlementSettings) -> str | None:
    """The node that has to say the same as the first one: what is named, else that of the workers' two which the first
    one is not; None where there is none. Raises ValueError.
    """
    two = (settings.rpc_check_url, settings.rpc_url) if settings.rpc_check_url else ()
    found = next((url for url in ((named,) if named else two) if url and leads_elsewhere(url, first)), None)
    if found is None and named:
        raise ValueError("--check-rpc: has to be another node than the first")
    return found


def date_of(at_s: int) -> str:
    """A second of the chain's clock, for people."""
    return str(datetime.fromtimestamp(at_s, UTC)) if at_s < YEAR_3000_S else "the end of time"


def say(words: str) -> None:
    """A line of what is or was done, at once: some of it takes minutes."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def refuse(prog: str, code: int, words: str) -> int:
    """Why it was not done; answers the code."""
    sys.stderr.write(f"{prog}: {words}\n")
    return code
