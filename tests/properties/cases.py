"""A difference as a file: the fewest commands that show it. `python -m tests.properties.cases FILE` plays it again.

What is written needs no dice and no database: the commands as dictionaries, in the order in which they were decided.
`shrunk` leaves commands out as long as book and oracle still disagree, in ever smaller pieces, and stops after so many
tries. A history that only the stored ledger got wrong plays here without a difference; the file then says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.properties.pair import Pair
from tests.properties.worlds import Plain

TRIES_MAX = 600
FOLDER = Path("var") / "differences"


def difference(commands: Sequence[Plain]) -> tuple[int, str]:
    """How many of the commands it takes until book and oracle disagree, and about what; (0, "") if they never do."""
    pair = Pair()
    for number, plain in enumerate(commands, start=1):
        try:
            pair.apply(plain)
            pair.compare()
        except AssertionError as error:
            return number, str(error)
    return 0, ""


def shrunk(commands: Sequence[Plain]) -> list[Plain]:
    """A short history that still shows a difference."""
    needed, _ = difference(commands)
    left, size, tries = list(commands[:needed]), needed // 2, 0
    while size:
        start = 0
        while start < len(left) and tries < TRIES_MAX:
            without, tries = left[:start] + left[start + size :], tries + 1
            needed, _ = difference(without)
            if needed:
                left = without[:needed]
            else:
                start += size
        size //= 2
    return left


def keep(name: str, error: BaseException, commands: Sequence[Plain], folder: Path) -> Path:
    """Write the shortest case that is found in time; answers where."""
    few = shrunk(commands)
    _, found = difference(few)
    said = {"said": str(error), "difference": found or "none on the pure book: the stored ledger differs from it"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(said | {"commands": few or list(commands)}, indent=1) + "\n")
    return path


def main(arguments: list[str]) -> None:
    for path in arguments:
        commands = json.loads(Path(path).read_text())["commands"]
        needed, found = difference(commands)
        sys.stdout.write(f"{path}: {needed} of {len(commands)} commands: {found or 'no difference'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
