"""`python -m settlement verify-deployment`: whether a chain holds the alliance that a file of addresses names.

    python -m settlement verify-deployment --rpc URL --addresses addresses.json

For anybody: it takes a node and the file, no database and no key. Exit codes: 0 everything as it should be (notes are
for a person to judge); 1 something differs; 2 wrong use, or no file of addresses; 3 the node cannot be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from settlement.chain.client import ChainError
from settlement.commands import AWAY, DONE, REFUSED, WRONG_USE, add_node, asked_chain, refuse
from settlement.deployment.looking import look, read_addresses
from settlement.deployment.verification import Found, Line, differs, judge, table
from settlement.networks import NotAddresses

PROGRAM: Final = "settlement verify-deployment"


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, judge, tell; answers the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        told = read_addresses(asked.addresses)
        lines = judge(told, look(asked_chain(asked), told))
    except ChainError as error:
        return refuse(PROGRAM, AWAY, str(error))
    except (NotAddresses, OSError) as error:
        return refuse(PROGRAM, WRONG_USE, str(error))
    sys.stdout.write(_json(lines) if asked.json else table(lines) + summary(lines))
    return REFUSED if differs(lines) else DONE


def summary(lines: Sequence[Line]) -> str:
    """The last line."""
    count = {found: sum(line.found is found for line in lines) for found in Found}
    return f"{count[Found.OK]} as it should be, {count[Found.NOTE]} to be judged, {count[Found.DIFFERS]} not\n"


def _json(lines: Sequence[Line]) -> str:
    told = [{"about": each.about, "name": each.name, "found": each.found.name, "words": each.words} for each in lines]
    return json.dumps(told, indent=1) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="Whether a chain holds the alliance of a file of addresses.",
        epilog="Exit codes: 0 as it should be; 1 something differs; 2 wrong use; 3 the node cannot be asked.",
    )
    add_node(parser, "the node, best one of your own")
    parser.add_argument("--addresses", required=True, type=Path, metavar="FILE", help="the file of addresses")
    parser.add_argument("--json", action="store_true", help="the lines as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
