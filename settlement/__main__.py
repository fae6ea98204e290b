"""`python -m settlement`: what a person does on a network, by command. What runs by itself: `settlement.tasks`.

    deploy               found an alliance: plan, then --yes
    carry-over           go on with a running ledger at another hub: plan, then --yes
    verify-deployment    whether a chain holds the alliance that a file of addresses names
    register             lanes and terms of merchants that joined after the founding
    reread               the contracts' events once more, by a node that is believed
    council              propose, sign, show, execute and list what the council decides

Each says its own options and exit codes with --help. Called by operators, signers of the council, and anybody.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from settlement.commands import WRONG_USE
from settlement.council import command as council
from settlement.deployment import carry_command, deploy_command, register_command, verify_command
from settlement.watch import reread_command

COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "deploy": deploy_command.main,
    "carry-over": carry_command.main,
    "verify-deployment": verify_command.main,
    "register": register_command.main,
    "reread": reread_command.main,
    "council": council.main,
}


def main(arguments: Sequence[str]) -> int:
    """Run the command that is named first; answers its exit code."""
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    asked_for_help = arguments[:1] in (["-h"], ["--help"])
    (sys.stdout if asked_for_help else sys.stderr).write(f"{__doc__}\n")
    return 0 if asked_for_help else WRONG_USE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
