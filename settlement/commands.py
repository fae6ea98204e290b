"""What `python -m settlement.tasks` and `python -m settlement.tiers` are made of: subcommands, words, exit codes.

Invariant: what was done goes to standard output, why something was not to standard error, under the program's name.
Called by the commands of this room.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping


def subcommands(
    prog: str, about: str, codes: str, says: Mapping[str, str]
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of a program, and those of its subcommands, which `says` has with a line about each; `codes` says what
    it exits with.
    """
    whole = argparse.ArgumentParser(prog=f"python -m {prog}", description=about, epilog=f"Exit codes: {codes}")
    commands = whole.add_subparsers(dest="command", metavar="command", required=True)
    return whole, {name: commands.add_parser(name, help=words, description=words) for name, words in says.items()}


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def refuse(prog: str, code: int, words: str) -> int:
    """Why it was not done; answers the code."""
    sys.stderr.write(f"{prog}: {words}\n")
    return code
