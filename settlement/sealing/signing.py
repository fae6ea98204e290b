"""All signatures of a batch: asked from the port and checked piece by piece, while the sealer goes on with the rest.

Every signature is checked against the registered address before anything is published of it: the signer is another
program, perhaps on another machine, and a leaf with a wrong signature can be proven against the operator for ever.
Signing and checking cost as much as all the rest of sealing. For a large batch of a keystore other processes do it, so
that both run side by side; else threads do, because a process has to be started. Both give the same signatures.
What a signer refuses, or does not answer, is told with its reasons when all that was given is checked: its legs wait.
Called by `seal`. Source: docs/protocol §3.7, step 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

from ledger.answers import LegRef
from proofs.messages import domain_separator, signed_digest
from proofs.signature import Recovery
from settlement.chain.refused import SignerRefused
from settlement.sealing.lanes import Keystore, LaneId, LaneSigner, Roster, Signature, SignRequest, Unsigned
from settlement.sealing.leaves import UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.signer_process import COUNT, DIGEST, LANE, NONE_WRONG, SIGNATURE, signed_by

PIECE_LEAVES: Final = 1_024
THREADS_MAX: Final = 8
LEAVES_WORTH_PROCESSES: Final = 8_192
"""From here on processes win back the time in which they start."""
SHOWN_MAX: Final = 8
"""Lanes named in words; all of them are in the rows."""


class Answer(NamedTuple):
    """The signatures of a piece, None where none was given; the first request that was not answered by its lane's key;
    and the reasons by place where none was given.
    """

    given: Sequence[Signature | None]
    wrong: int | None
    refused: Mapping[int, str]


Work = Callable[[Sequence[SignRequest]], Answer]


class LanesUnsigned(SignerRefused):
    """Signers gave no signatures for some leaves: `refused` has (journal leg, lane, reason) of each, `given` what they
    signed, by digest, so that it need not be asked for again.
    """

    def __init__(self, refused: Sequence[tuple[LegRef, LaneId, str]], given: Mapping[bytes, Signature]) -> None:
        lanes = sorted({(lane_id, reason) for _, lane_id, reason in refused})
        shown = ", ".join(f"{lane_id.merchant_id}/{lane_id.key_id} ({reason})" for lane_id, reason in lanes[:SHOWN_MAX])
        super().__init__(f"{len(refused)} leaves were not signed by their lanes: {shown}")
        self.refused = refused
        self.given = given


class Signing:
    """The signatures of one batch under way. Every lane must be in the roster."""

    def __init__(self, pool: ThreadPoolExecutor, work: Work, separator: bytes, addresses: dict[LaneId, bytes]) -> None:
        self._pool = pool
        self._work = work
        self._separator = separator
        self._addresses = addresses
        self._pieces: list[tuple[Sequence[UnsealedLeaf], list[SignRequest], Future[Answer]]] = []

    def ask(self, leaves: Sequence[UnsealedLeaf], event_hashes: Sequence[bytes]) -> None:
        """Have the next leaves signed."""
        asked = [
            SignRequest(
                LaneId(leaf.event.merchant_id, leaf.event.key_id),
                signed_digest(self._separator, event_hash),
                leaf.event,
            )
            for leaf, event_hash in zip(leaves, event_hashes, strict=True)
        ]
        self._pieces.append((leaves, asked, self._pool.submit(self._work, asked)))

    def all(self) -> list[Signature]:
        """All that were asked for, in order. Raises `SealRefused` with reason SIGNATURE, else `LanesUnsigned`."""
        answers = [(leaves, asked, self._answered(leaves, asked, answer)) for leaves, asked, answer in self._pieces]
        refused = [
            (leaves[at].source, asked[at].lane_id, reason)
            for leaves, asked, answer in answers
            for at, reason in sorted(answer.refused.items())
        ]
        given = [signature for _, _, answer in answers for signature in answer.given if signature is not None]
        if refused:
            digests = [each.digest for _, asked, answer in answers for each in _signed(asked, answer)]
            raise LanesUnsigned(refused, dict(zip(digests, given, strict=True)))
        return given

    def _answered(self, leaves: Sequence[UnsealedLeaf], asked: list[SignRequest], answer: Future[Answer]) -> Answer:
        told = answer.result()
        if told.wrong is not None:
            lane_id = asked[told.wrong].lane_id
            expected = f"a signature of lane {tuple(lane_id)}, {self._addresses[lane_id].hex()}"
            found = told.given[told.wrong : told.wrong + 1]
            raise SealRefused(Reason.SIGNATURE, leaves[told.wrong].source, expected=expected, actual=found)
        return told


def _signed(asked: Sequence[SignRequest], answer: Answer) -> Iterator[SignRequest]:
    """Those that got a signature."""
    for request, signature in zip(asked, answer.given, strict=True):
        if signature is not None:
            yield request


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
    """A signer, and the signatures that are there already, by digest: merchants gave them themselves, or the signer did
    before.
    """

    def __init__(self, signer: LaneSigner, given: Mapping[bytes, Signature]) -> None:
        self.signer = signer
        self.given = given

    def sign(self, requests: Sequence[SignRequest]) -> list[Signature]:
        """As `LaneSigner`."""
        others = iter(self.signer.sign([each for each in requests if each.digest not in self.given]))
        return [self.given[each.digest] if each.digest in self.given else next(others) for each in requests]


class _Mixed:
    """What was given is checked here, the rest is asked for."""

    def __init__(self, given: Mapping[bytes, Signature], work: Work, addresses: dict[LaneId, bytes]) -> None:
        self._given = given
        self._work = work
        self._addresses = addresses

    def work(self, asked: Sequence[SignRequest]) -> Answer:
        places = [at for at, each in enumerate(asked) if each.digest not in self._given]
        made, wrong, refused = self._work([asked[at] for at in places]) if places else Answer([], None, {})
        found: dict[int, Signature | None] = dict(zip(places, made, strict=False))
        recovery, faults = Recovery(), [] if wrong is None else [places[wrong]]
        for at, (lane_id, digest, _) in enumerate(asked):
            if digest in self._given:
                found[at] = r, vs = self._given[digest]
                if not signed_by(recovery, digest, r, vs, self._addresses[lane_id]):
                    faults.append(at)
        reasons = {places[at]: reason for at, reason in refused.items()}
        return Answer([found[at] for at in sorted(found)], min(faults, default=None), reasons)


class _Here:
    """Ask the port, check in this process."""

    def __init__(self, signer: LaneSigner, addresses: dict[LaneId, bytes]) -> None:
        self._signer = signer
        self._addresses = addresses

    def work(self, asked: Sequence[SignRequest]) -> Answer:
        given, refused = self._asked(asked)
        recovery = Recovery()
        for at, (request, signature) in enumerate(zip(asked, given, strict=False)):
            if signature is not None and not signed_by(
                recovery, request.digest, *signature, self._addresses[request.lane_id]
            ):
                return Answer(given, at, refused)
        return Answer(given, None if len(given) == len(asked) else min(len(given), len(asked) - 1), refused)

    def _asked(self, asked: Sequence[SignRequest]) -> tuple[Sequence[Signature | None], Mapping[int, str]]:
        try:
            return self._signer.sign(asked), {}
        except Unsigned as error:
            return [error.given.get(at) for at in range(len(asked))], error.refused


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

    def work(self, asked: Sequence[SignRequest]) -> Answer:
        process = self._idle.get()
        try:
            return self._asked(process, asked)
        finally:
            self._idle.put(process)

    def _asked(self, process: subprocess.Popen[bytes], asked: Sequence[SignRequest]) -> Answer:
        assert process.stdin is not None
        assert process.stdout is not None
        digests = b"".join(DIGEST.pack(self._places[lane_id], digest) for lane_id, digest, _ in asked)
        process.stdin.write(COUNT.pack(len(asked)) + digests)
        process.stdin.flush()
        size = len(asked) * SIGNATURE.size
        answer = process.stdout.read(size + COUNT.size)
        if len(answer) != size + COUNT.size:
            raise RuntimeError(f"the signing process {process.pid} ended within a piece")
        (wrong,) = COUNT.unpack(answer[size:])
        given = [(r, vs) for r, vs in SIGNATURE.iter_unpack(answer[:size])]
        return Answer(given, None if wrong == NONE_WRONG else wrong, {})


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
