"""All signatures of a batch: asked from the port and checked piece by piece, while the sealer goes on with the rest.

Every signature is checked against the registered address before anything is published of it: the signer is another
program, perhaps on another machine, and a leaf with a wrong signature can be proven against the operator for ever.
Signing and checking cost as much as all the rest of sealing. For a large batch of a keystore other processes do it, so
that both run side by side; else threads do, because a process has to be started. Both give the same signatures.
Called by `seal`. Source: docs/protocol §3.7, step 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from proofs.messages import domain_separator, signed_digest
from proofs.signature import Recovery
from settlement.sealing.lanes import Keystore, LaneId, LaneSigner, Roster, Signature
from settlement.sealing.leaves import UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.signer_process import COUNT, DIGEST, LANE, NONE_WRONG, SIGNATURE, signed_by

PIECE_LEAVES: Final = 1_024
THREADS_MAX: Final = 8
LEAVES_WORTH_PROCESSES: Final = 8_192
"""From here on processes win back the time in which they start."""

Request = tuple[LaneId, bytes]
Answer = tuple[list[Signature], int | None]
"""The signatures of a piece, and the first request that was not answered by its lane's key."""
Work = Callable[[Sequence[Request]], Answer]


class Signing:
    """The signatures of one batch under way. Every lane must be in the roster."""

    def __init__(self, pool: ThreadPoolExecutor, work: Work, separator: bytes, addresses: dict[LaneId, bytes]) -> None:
        self._pool = pool
        self._work = work
        self._separator = separator
        self._addresses = addresses
        self._pieces: list[tuple[Sequence[UnsealedLeaf], list[Request], Future[Answer]]] = []

    def ask(self, leaves: Sequence[UnsealedLeaf], event_hashes: Sequence[bytes]) -> None:
        """Have the next leaves signed."""
        asked = [
            (LaneId(leaf.event.merchant_id, leaf.event.key_id), signed_digest(self._separator, event_hash))
            for leaf, event_hash in zip(leaves, event_hashes, strict=True)
        ]
        self._pieces.append((leaves, asked, self._pool.submit(self._work, asked)))

    def all(self) -> list[Signature]:
        """All that were asked for, in order. Raises `SealRefused` with reason SIGNATURE."""
        return list(chain.from_iterable(self._answered(*piece) for piece in self._pieces))

    def _answered(
        self, leaves: Sequence[UnsealedLeaf], asked: list[Request], answer: Future[Answer]
    ) -> list[Signature]:
        given, wrong = answer.result()
        if wrong is not None:
            lane_id, _ = asked[wrong]
            expected = f"a signature of lane {tuple(lane_id)}, {self._addresses[lane_id].hex()}"
            found = given[wrong : wrong + 1]
            raise SealRefused(Reason.SIGNATURE, leaves[wrong].source, expected=expected, actual=found)
        return given


@contextmanager
def signing(count: int, *, chain_id: int, hub: bytes, roster: Roster, signer: LaneSigner) -> Iterator[Signing]:
    """The signatures of a batch of `count` leaves. What was started for them has ended when this ends."""
    separator = domain_separator(chain_id=chain_id, hub=hub)
    addresses = {lane.id: lane.address for lane in roster}
    workers = min(THREADS_MAX, os.cpu_count() or 1)
    asked = signer.signer if isinstance(signer, Presigned) else signer
    with ExitStack() as stack:
        work: Work
        if count >= LEAVES_WORTH_PROCESSES and type(asked) is Keystore:
            work = _Processes(stack, asked, addresses, workers).work
        else:
            work = _Here(asked, addresses).work
        if isinstance(signer, Presigned):
            work = _Mixed(signer.given, work, addresses).work
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield Signing(pool, work, separator, addresses)


class Presigned:
    """A signer, and the signatures that merchants have given themselves, by digest."""

    def __init__(self, signer: LaneSigner, given: Mapping[bytes, Signature]) -> None:
        self.signer = signer
        self.given = given

    def sign(self, requests: Sequence[Request]) -> list[Signature]:
        """As `LaneSigner`."""
        others = iter(self.signer.sign([each for each in requests if each[1] not in self.given]))
        return [self.given[digest] if digest in self.given else next(others) for _, digest in requests]


class _Mixed:
    """What was given is checked here, the rest is asked for."""

    def __init__(self, given: Mapping[bytes, Signature], work: Work, addresses: dict[LaneId, bytes]) -> None:
        self._given = given
        self._work = work
        self._addresses = addresses

    def work(self, asked: Sequence[Request]) -> Answer:
        places = [at for at, (_, digest) in enumerate(asked) if digest not in self._given]
        made, wrong = self._work([asked[at] for at in places])
        found, recovery = dict(zip(places, made, strict=False)), Recovery()
        faults = [] if wrong is None else [places[wrong]]
        for at, (lane_id, digest) in enumerate(asked):
            if digest in self._given:
                found[at] = r, vs = self._given[digest]
                if not signed_by(recovery, digest, r, vs, self._addresses[lane_id]):
                    faults.append(at)
        return [found[at] for at in sorted(found)], min(faults, default=None)


class _Here:
    """Ask the port, check in this process."""

    def __init__(self, signer: LaneSigner, addresses: dict[LaneId, bytes]) -> None:
        self._signer = signer
        self._addresses = addresses

    def work(self, asked: Sequence[Request]) -> Answer:
        given, recovery = self._signer.sign(asked), Recovery()
        for at, ((lane_id, digest), (r, vs)) in enumerate(zip(asked, given, strict=False)):
            if not signed_by(recovery, digest, r, vs, self._addresses[lane_id]):
                return given, at
        return given, None if len(given) == len(asked) else min(len(given), len(asked) - 1)


class _Processes:
    """Processes that hold the keystore's keys; each piece goes to one that has nothing to do."""

    def __init__(self, stack: ExitStack, keystore: Keystore, addresses: dict[LaneId, bytes], workers: int) -> None:
        secrets = keystore.secrets
        self._places = {lane_id: place for place, lane_id in enumerate(secrets)}
        start = COUNT.pack(len(secrets)) + b"".join(
            LANE.pack(secret, addresses.get(lane_id, bytes(20))) for lane_id, secret in secrets.items()
        )
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for _ in range(workers):
            self._idle.put(stack.enter_context(_started(start)))

    def work(self, asked: Sequence[Request]) -> Answer:
        process = self._idle.get()
        try:
            return self._asked(process, asked)
        finally:
            self._idle.put(process)

    def _asked(self, process: subprocess.Popen[bytes], asked: Sequence[Request]) -> Answer:
        assert process.stdin is not None
        assert process.stdout is not None
        digests = b"".join(DIGEST.pack(self._places[lane_id], digest) for lane_id, digest in asked)
        process.stdin.write(COUNT.pack(len(asked)) + digests)
        process.stdin.flush()
        size = len(asked) * SIGNATURE.size
        answer = process.stdout.read(size + COUNT.size)
        if len(answer) != size + COUNT.size:
            raise RuntimeError(f"the signing process {process.pid} ended within a piece")
        (wrong,) = COUNT.unpack(answer[size:])
        given = [(r, vs) for r, vs in SIGNATURE.iter_unpack(answer[:size])]
        return given, None if wrong == NONE_WRONG else wrong


@contextmanager
def _started(start: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """A signing process; it ends with its input."""
    command = [sys.executable, "-m", "settlement.sealing.signer_process"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdin is not None
        process.stdin.write(start)
        process.stdin.flush()
        yield process
