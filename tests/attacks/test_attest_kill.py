"""An attester killed by SIGKILL at named points: whatever it signed is on disk, and a second header is never signed.

The point is found without touching the program: Python's audit hooks see it open the state's new file and rename it,
and the key sees itself used. Each test starts a process, lets it die there, and goes on with the state it left.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from auditor.attest import Attestation, attest
from auditor.audit import Means
from auditor.fetch import AuditorKey
from auditor.mirrors import Folder
from auditor.outcome import Verdict
from auditor.progress import Watch
from tests.attacks.forge import ATTESTERS, KID, PRIVATE, World
from tests.attacks.test_attest import sealed_anew, sealed_world

SECONDS_TO_DIE_MAX = 120
ON_CHAIN = 2
NEW = ".state.json.new"
POINTS = {
    "as the new state is opened": ("open", False),
    "as the written state takes its place": ("os.rename", False),
    "at the first signature": ("sign:1", True),
    "at the last signature": ("sign:3", True),
    "after signing, before a word of it is told": ("told", True),
}
"""The event at which it dies, and whether the state is on disk by then."""


class Dying(PrivateKey):
    """A key whose owner dies when it is used for the n-th time."""

    def __init__(self, secret: bytes, point: str) -> None:
        super().__init__(secret)
        self.point, self.used = point, 0

    def sign_recoverable(self, message: bytes, **how: Any) -> bytes:  # type: ignore[override] # passes on what it is given
        self.used += 1
        if self.point == f"sign:{self.used}":
            die()
        return bytes(super().sign_recoverable(message, **how))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def attesting(world: World, state: Path, key: PrivateKey) -> tuple[Verdict, list[Attestation]]:
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    outcome, signed, _ = attest(sealed_world(world, ON_CHAIN), means, key=key, state=state)
    return outcome.verdict, signed


def _attest_and_die(world: World, state: Path, point: str) -> None:
    """The life of the attester that is killed."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == point and str(arguments[0]).endswith(NEW):
            die()

    sys.addaudithook(hook)
    attesting(world, state, Dying(ATTESTERS[0].secret, point))
    die()


def killed(world: World, tmp_path: Path, point: str) -> Path:
    """The state that an attester left that died at `point`."""
    state = tmp_path / "state.json"
    process = multiprocessing.get_context("fork").Process(target=_attest_and_die, args=(world, state, point))
    process.start()
    process.join(SECONDS_TO_DIE_MAX)
    assert process.exitcode == -signal.SIGKILL
    return state


@pytest.mark.parametrize("name", POINTS)
def test_an_attester_killed_signs_the_same_again_and_nothing_else(world: World, tmp_path: Path, name: str) -> None:
    point, written = POINTS[name]
    state = killed(world, tmp_path, point)
    hashes = {str(n): "0x" + world.batches[n].header.hash_struct().hex() for n in range(ON_CHAIN, 5)}
    assert (json.loads(state.read_text())["signed"] if state.exists() else {}) == (hashes if written else {})
    verdict, signed = attesting(world, state, ATTESTERS[0])
    assert verdict == Verdict.CLEAN
    assert {str(each.batch_no): "0x" + each.header_hash.hex() for each in signed} == hashes
    sealed_anew(world, 3)
    _, signed = attesting(world, state, ATTESTERS[0])
    assert [each.batch_no for each in signed] == [2], "nor anything that was sealed on top of another"


def test_what_died_before_its_state_has_signed_nothing_and_binds_nobody(world: World, tmp_path: Path) -> None:
    """No signature can exist, so another header may be signed: the one that everybody else sees."""
    state = killed(world, tmp_path, "os.rename")
    world.batches[3].forced = {"journal_head": bytes([1]) * 32}
    world.rechain()
    verdict, signed = attesting(world, state, ATTESTERS[0])
    assert (verdict, len(signed)) == (Verdict.CLEAN, 3)
