"""Runs every benchmark, one after the other, and keeps their results. Each runs alone with
`python -m bench.<name>`, whose result is a trial and is not kept. Growth goes its full way twice, on the
small server that comes along and on one set up for production: a shorter one would replace a result that says more.
Drift goes its full ten million events. All of it takes three quarters of an hour.
"""

from __future__ import annotations

import os
import subprocess
import sys

from bench.conditions import KEEP

RUNS = (
    ("postings",),
    ("postings", "--flush-extra-microseconds", "1000", "--rounds", "2"),
    ("gathered",),
    ("front_door",),
    ("growth", "--entries", "20000000"),
    ("growth", "--entries", "20000000", "--server", "large"),
    ("shares",),
    ("as_of",),
    ("seal",),
    ("tier_seal", "--members", "100000"),
    ("audit",),
    ("drift",),
    ("tier_prove",),
    ("tier_verify",),
    ("tier_door",),
    ("tier_show",),
    ("tier_epoch",),
)


def main() -> int:
    """0 when every benchmark ran to its end."""
    failed = []
    for name, *words in RUNS:
        print(f"== bench.{name} {' '.join(words)}", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"bench.{name}", *words], env=os.environ | {KEEP: "1"}, check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
