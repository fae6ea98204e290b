"""A disk whose flush takes a chosen time longer, because a flush into this machine's cache is not one of a real disk.

Nothing in PostgreSQL delays a flush honestly (`commit_delay` waits only with others waiting), so a shim of a few lines
of C wraps fdatasync and fsync of the server's processes; it is compiled when a benchmark asks for it and stated among
the conditions. Without a C compiler the variant is absent, and the result says so. Called by the benchmarks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void later(void) {
    struct timespec t = {0, EXTRA_MICROSECONDS * 1000L};
    nanosleep(&t, 0);
}
int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int done = real(fd);
    later();
    return done;
}
int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int done = real(fd);
    later();
    return done;
}
"""


class NoCompiler(Exception):
    """There is no C compiler here to build the shim with."""


@contextmanager
def slower(folder: Path, extra_microseconds: int) -> Iterator[None]:
    """What is started inside flushes slower by that much; 0 changes nothing. Raises NoCompiler."""
    if not extra_microseconds:
        yield
        return
    os.environ["LD_PRELOAD"] = str(shim(folder, extra_microseconds))
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]


def shim(folder: Path, extra_microseconds: int) -> Path:
    """The compiled library, readable by the account the server runs as."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("neither gcc nor cc is here: a slower flush cannot be measured")
    source, library = folder / "slower.c", folder / "slower.so"
    source.write_text(SHIM)
    folder.chmod(0o755)
    options = ["-shared", "-fPIC", "-O2", f"-DEXTRA_MICROSECONDS={extra_microseconds}"]
    subprocess.run([compiler, *options, "-o", str(library), str(source), "-ldl"], check=True, capture_output=True)
    return library
