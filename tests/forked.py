"""Processes of their own that begin at once: forked from a process that has loaded what they need, instead of loading
it hundreds of times. They share nothing with the tests' own process and may be killed like any other.

Called by drivers of tests that end a process at a named point.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable

LOADED = [
    "tests.settlement.chain.driver",
    "tests.settlement.chain.reread_driver",
    "tests.settlement.chain.tier_driver",
    "tests.settlement.tiers.driver",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(LOADED)


def killed(main: Callable[..., None], *arguments: str, seconds_max: int) -> bool:
    """Run `main` in a process; whether it was ended by SIGKILL before `seconds_max`, which the test's own end counts
    as a failure.
    """
    process = _context.Process(target=main, args=arguments)
    process.start()
    process.join(seconds_max)
    if process.exitcode is None:
        os.kill(process.pid or 0, signal.SIGABRT)
        process.join()
    code = process.exitcode
    process.close()
    return code == -signal.SIGKILL
