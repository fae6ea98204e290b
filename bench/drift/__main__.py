"""Whether rounding drifts: random earns, refunds in parts, redemptions, cancellations in parts, transfers, exchanges,
expiries, fees and nets, decided by the ledger's own pure book and held against exact sums, event by event.

    python -m bench.drift [--events 10000000] [--seed 20261126]

Beside it, on the same events, three ways in which books are often kept: parts as doubles, each rounded, each cut off.
Two alliances, a process each, half of the events in either. The first figure that is not exact ends the run.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.conditions import arguments, keep, machine
from bench.drift.side_by_side import ALLIANCES, played, together

EVENTS = 10_000_000
SEED = 20_261_126


def show(books: dict[str, Any]) -> None:
    """What each way of keeping books makes of things that were given back whole, in parts."""
    things = [name for name in books["ledger"] if name != "worthOffAu"]
    table = Table("books", *[f"{thing}: off" for thing in things], "worth of all points, AU off")
    for name, told in books.items():
        cells = [f"{told[thing]['off']:,.6g} in {told[thing]['notExact']:,}" for thing in things]
        table.add_row(name, *cells, f"{told['worthOffAu']:,.6g}")
    whole = ", ".join(f"{books['ledger'][thing]['givenBackWhole']:,} {thing}" for thing in things[:2])
    table.title = f"given back whole in parts: {whole}"
    Console(width=160).print(table)


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(words)
    conditions, begun = machine() | {"seed": chosen.seed, "alliances": ALLIANCES}, time.monotonic()
    halves, processor = played(chosen.seed, chosen.events, Console(stderr=True))
    seconds = time.monotonic() - begun
    whole = together(halves)
    result = {
        "conditions": conditions,
        "seconds": round(seconds, 1),
        "processorSeconds": round(processor, 1),
        "microsecondsPerEvent": round(processor / whole["events"] * 1e6, 1),
        **whole,
    }
    show(whole["books"])
    print(f"no drift in {whole['events']:,} events; kept in {keep('drift', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
