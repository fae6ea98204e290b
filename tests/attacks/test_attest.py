"""The attester: signs what is sealed and true, never twice for one number, never before it is written down."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from auditor.attest import (
    Attestation,
    Attested,
    AttestRefused,
    _locked,
    attest,
    load_signer,
    nothing_final,
    remember,
    sealed_commits,
)
from auditor.audit import Means
from auditor.chain import Chain
from auditor.fetch import AuditorKey
from auditor.forced import Queue
from auditor.lapsed import Final
from auditor.mirrors import Folder, Mirror, Web
from auditor.outcome import Verdict
from auditor.progress import Watch
from proofs.headers import SEAL_LAG_SECONDS_BOUND
from proofs.json_form import to_json
from proofs.messages import BatchHeader, signed_digest
from proofs.signature import recover
from tests.attacks.forge import ATTESTERS, KID, PRIVATE, SEPARATOR, World, address
from tests.attacks.test_files import served

KEY = ATTESTERS[0]


def sealed_world(world: World, on_chain: int) -> Chain:
    """The first batches on the chain, all headers in the folder."""
    (world.folder / "headers").mkdir(exist_ok=True)
    for batch in world.batches:
        path = world.folder / "headers" / f"{batch.header.batch_no}.json"
        path.write_text(json.dumps(to_json(batch.header)))
    chain = world.chain()
    del chain.commits[on_chain:]
    return chain


def attested(world: World, chain: Chain, state: Path, *mirrors: Mirror) -> tuple[Verdict, list[Attestation]]:
    means = Means(mirrors or [Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    outcome, signed, _ = attest(chain, means, key=KEY, state=state)
    return outcome.verdict, signed


def test_what_is_sealed_and_true_is_signed(world: World, tmp_path: Path) -> None:
    verdict, signed = attested(world, sealed_world(world, 2), tmp_path / "state.json")
    assert verdict == Verdict.CLEAN
    assert [each.batch_no for each in signed] == [2, 3, 4]
    for each in signed:
        assert each.header_hash == world.batches[each.batch_no].header.hash_struct()
        assert recover(signed_digest(SEPARATOR, each.header_hash), each.r, each.vs) == address(KEY)
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["signed"] == {str(each.batch_no): "0x" + each.header_hash.hex() for each in signed}


def test_the_same_header_is_signed_the_same_way_again(world: World, tmp_path: Path) -> None:
    chain = sealed_world(world, 2)
    first, second = (attested(world, chain, tmp_path / "state.json") for _ in range(2))
    assert first == second


def test_nothing_is_signed_if_anything_is_found(world: World, tmp_path: Path) -> None:
    world.batches[4].nets.pop()
    world.rehead(4)
    verdict, signed = attested(world, sealed_world(world, 2), tmp_path / "state.json")
    assert (verdict, signed) == (Verdict.FINDINGS, [])
    assert not (tmp_path / "state.json").exists()


def queue_of(*logs: tuple[str, dict[str, Any]]) -> Queue:
    """A merchant forced an event, and what became of it."""
    queue = Queue()
    for name, told in (("ForcedQueued", {"id": 1, "merchantId": 2, "keyId": 1, "dueAt": 1_000}), *logs):
        queue.take(name, told)
    return queue


@pytest.mark.parametrize(
    "queue",
    [queue_of(), queue_of(("ForcedDischarged", {"id": 1, "batchNo": 1, "late": True}))],
    ids=["not taken in yet", "taken in late by a batch of long ago"],
)
def test_a_duty_broken_elsewhere_is_told_and_holds_nothing_up(world: World, queue: Queue, tmp_path: Path) -> None:
    chain = sealed_world(world, 2)
    chain.queue, chain.block_time = queue, 1_001
    verdict, signed = attested(world, chain, tmp_path / "state.json")
    assert verdict == Verdict.FINDINGS
    assert [each.batch_no for each in signed] == [2, 3, 4]


def test_a_batch_that_breaks_a_duty_is_not_signed_and_those_after_it_are(world: World, tmp_path: Path) -> None:
    chain, state = sealed_world(world, 2), tmp_path / "state.json"
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    chain.queue = queue_of(("ForcedDischarged", {"id": 1, "batchNo": 3, "late": True}))
    outcome, signed, _ = attest(chain, means, key=KEY, state=state)
    assert outcome.findings.object_to(3)
    assert [each.batch_no for each in signed] == [2, 4]
    assert json.loads(state.read_text())["signed"].keys() == {"2", "4"}


def test_nothing_is_signed_if_anything_is_missing(world: World, tmp_path: Path) -> None:
    (world.folder / "blobs" / world.batches[3].header.data_hash.hex()).unlink()
    verdict, signed = attested(world, sealed_world(world, 2), tmp_path / "state.json")
    assert (verdict, signed) == (Verdict.INCOMPLETE, [])


def replaced(world: World, state: Path) -> tuple[bytes, Callable[[Callable[[], Final]], Attested]]:
    """Batches 2 and 3 are signed, then 3 gets another header and 4 is sealed on it: 3's first header, and the run that
    sees them.
    """
    attest_upto(world, state, 3)
    first = world.batches[3].header.hash_struct()
    sealed_anew(world, 3)
    return first, lambda final: attest_upto(world, state, 4, final)


def sealed_anew(world: World, batch_no: int) -> None:
    """Another header for this number, and those after it on top of it; those before stay as they are."""
    for batch in world.batches[:batch_no]:
        batch.data_hash = batch.header.data_hash
    world.batches[batch_no].forced = {"journal_head": bytes([1]) * 32}
    world.rechain()


def attest_upto(world: World, state: Path, last: int, final: Callable[[], Final] = nothing_final) -> Attested:
    chain = sealed_world(world, 2)
    for batch_no in range(last + 1, len(world.batches)):
        (world.folder / "headers" / f"{batch_no}.json").unlink()
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    return attest(chain, means, key=KEY, state=state, final=final)


def test_a_second_header_for_a_number_is_refused_and_the_others_are_signed(world: World, tmp_path: Path) -> None:
    first, again = replaced(world, tmp_path / "state.json")
    _, signed, refused = again(nothing_final)
    assert [each.batch_no for each in signed] == [2, 4]
    ((number, second, told, until),) = [(r.batch_no, r.header_hash, r.signed, r.until) for r in refused]
    assert (number, second, told) == (3, world.batches[3].header.hash_struct(), "0x" + first.hex())
    assert until == world.batches[3].header.sealed_at + SEAL_LAG_SECONDS_BOUND
    assert json.loads((tmp_path / "state.json").read_text())["signed"]["3"] == told
    assert again(nothing_final).refused == refused


def test_a_second_header_is_signed_when_the_first_has_lapsed_and_not_a_second_before(
    world: World, tmp_path: Path
) -> None:
    first, again = replaced(world, tmp_path / "state.json")
    lapses = world.batches[3].header.sealed_at + SEAL_LAG_SECONDS_BOUND
    held = {2: world.batches[2].header.hash_struct()}
    assert again(lambda: Final(lapses + 1, (held | {3: first}).__getitem__)).refused, "it stands on the chain"
    assert again(lambda: Final(lapses, lambda number: held.get(number, bytes(32)))).refused, "it may still be committed"
    _, signed, refused = again(lambda: Final(lapses + 1, lambda number: held.get(number, bytes(32))))
    assert ([each.batch_no for each in signed], refused) == ([2, 3, 4], [])
    assert again(nothing_final)[1:] == (signed, []), "what is signed now stays"


def test_a_state_without_times_lapses_never(world: World, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    _, again = replaced(world, state)
    told = json.loads(state.read_text())
    del told["sealed"]
    state.write_text(json.dumps(told))
    (refused,) = again(lambda: Final(2**40, lambda _: bytes(32))).refused
    assert (refused.batch_no, refused.until) == (3, None)


def test_it_is_written_down_before_it_is_signed(world: World, tmp_path: Path) -> None:
    """A state that cannot be kept means no signature: the folder is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        attested(world, sealed_world(world, 2), tmp_path / "file" / "state.json")


class Watched(PrivateKey):
    """A key that looks at the state file whenever it is used."""

    def __init__(self, secret: bytes, state: Path) -> None:
        super().__init__(secret)
        self.state, self.seen = state, list[dict[str, str]]()

    def sign_recoverable(self, message: bytes, **how: Any) -> bytes:  # type: ignore[override] # passes on what it is given
        self.seen.append(json.loads(self.state.read_text())["signed"])
        return bytes(super().sign_recoverable(message, **how))


def test_at_every_signature_the_header_is_on_disk_already(world: World, tmp_path: Path) -> None:
    chain, state = sealed_world(world, 2), tmp_path / "state.json"
    key = Watched(KEY.secret, state)
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    _, signed, _ = attest(chain, means, key=key, state=state)
    everything = {str(each.batch_no): "0x" + each.header_hash.hex() for each in signed}
    assert key.seen == [everything] * 3


def test_a_state_of_another_key_is_refused(world: World, tmp_path: Path) -> None:
    chain = sealed_world(world, 2)
    attested(world, chain, tmp_path / "state.json")
    with pytest.raises(AttestRefused, match="kept for"):
        remember(tmp_path / "state.json", chain, address(ATTESTERS[1]), [])


@pytest.mark.parametrize("content", ["", "[]", '{"signed": {}}', "not json"])
def test_a_damaged_state_is_refused_not_forgotten(world: World, tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(AttestRefused, match="not an attester's state"):
        attested(world, sealed_world(world, 2), tmp_path / "state.json")


def _hold(state: Path, ready: Event, go_on: Event) -> None:
    """Another attester with the same state, in a process of its own."""
    with _locked(state):
        ready.set()
        go_on.wait(30)


def test_one_attester_at_a_time(world: World, tmp_path: Path) -> None:
    chain, state = sealed_world(world, 2), tmp_path / "state.json"
    context = multiprocessing.get_context("spawn")
    ready, go_on = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(state, ready, go_on))
    holder.start()
    assert ready.wait(30)
    try:
        with pytest.raises(AttestRefused, match="another attester"):
            attested(world, chain, state)
    finally:
        go_on.set()
        holder.join(30)


def test_sealed_headers_follow_the_chain_without_a_gap(world: World) -> None:
    chain = sealed_world(world, 2)
    (world.folder / "headers" / "3.json").unlink()
    assert [commit.header.batch_no for commit in sealed_commits(chain, [Folder(world.folder)])] == [2]


def test_an_attester_elsewhere_needs_no_folder(world: World, tmp_path: Path) -> None:
    """A mirror behind HTTP has the sealed headers as well as the data; one that is away is passed over."""
    chain = sealed_world(world, 2)
    with served(world.folder) as address:
        away = Web("http://127.0.0.1:9")
        verdict, signed = attested(world, chain, tmp_path / "state.json", away, Web(address))
        assert (verdict, [each.batch_no for each in signed]) == (Verdict.CLEAN, [2, 3, 4])
        assert sealed_commits(chain, [away]) == []


def test_what_one_mirror_spoils_or_lacks_another_has(world: World, tmp_path: Path) -> None:
    chain = sealed_world(world, 2)
    spoilt = tmp_path / "spoilt" / "headers"
    spoilt.mkdir(parents=True)
    (spoilt / "2.json").write_text("no header")
    (spoilt / "3.json").write_text(json.dumps(to_json(world.batches[4].header)))
    found = sealed_commits(chain, [Folder(spoilt.parent), Folder(world.folder)])
    assert [commit.header.batch_no for commit in found] == [2, 3, 4]


def incarnation(world: World, header: BatchHeader) -> None:
    """A header under its hash, as mirrors keep every one."""
    folder = world.folder / "headers" / str(header.batch_no)
    folder.mkdir(exist_ok=True)
    (folder / f"{header.hash_struct().hex()}.json").write_text(json.dumps(to_json(header)))


def test_the_incarnation_that_follows_is_found_whatever_stands_under_the_number(world: World) -> None:
    """Three of batch 3: one on a batch 2 that never was, one that follows, and a newer one that follows as well."""
    chain = sealed_world(world, 3)
    right = world.batches[3].header
    strange = replace(right, prev_header_hash=bytes([5]) * 32)
    newer = replace(right, sealed_at=right.sealed_at + 1)
    (world.folder / "headers" / "3.json").write_text(json.dumps(to_json(strange)))
    assert sealed_commits(chain, [Folder(world.folder)]) == []
    incarnation(world, strange)
    incarnation(world, right)
    found = [commit.header_hash for commit in sealed_commits(chain, [Folder(world.folder)])]
    assert found == [right.hash_struct(), world.batches[4].header.hash_struct()]
    incarnation(world, newer)
    assert [commit.header_hash for commit in sealed_commits(chain, [Folder(world.folder)])] == [newer.hash_struct()]


def test_what_is_no_incarnation_is_passed_over(world: World) -> None:
    chain = sealed_world(world, 3)
    right = world.batches[3].header
    strange = replace(right, prev_header_hash=bytes([5]) * 32)
    (world.folder / "headers" / "3.json").write_text(json.dumps(to_json(strange)))
    folder = world.folder / "headers" / "3"
    folder.mkdir()
    (folder / "junk.json").write_text("no header")
    (folder / f"{'0' * 64}.json").write_text(json.dumps(to_json(right)))
    assert sealed_commits(chain, [Folder(world.folder)]) == []
    incarnation(world, right)
    assert sealed_commits(chain, [Folder(world.folder)])[0].header_hash == right.hash_struct()


def test_a_stale_header_after_a_good_one_keeps_nobody_from_signing_the_good_one(world: World, tmp_path: Path) -> None:
    """Batch 3 was sealed anew and published; batch 4 still stands on the old one."""
    sealed_world(world, 2)
    stale = to_json(world.batches[4].header)
    sealed_anew(world, 3)
    chain = sealed_world(world, 2)
    (world.folder / "headers" / "4.json").write_text(json.dumps(stale))
    verdict, signed = attested(world, chain, tmp_path / "state.json")
    assert (verdict, [each.batch_no for each in signed]) == (Verdict.CLEAN, [2, 3])


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"batchNo": 2}'])
def test_a_header_file_that_is_none_is_refused(world: World, content: str) -> None:
    chain = sealed_world(world, 2)
    (world.folder / "headers" / "2.json").write_text(content)
    with pytest.raises(AttestRefused, match="not a header"):
        sealed_commits(chain, [Folder(world.folder)])


def test_a_header_under_another_number_is_refused(world: World) -> None:
    chain = sealed_world(world, 2)
    other = replace(world.batches[2].header, batch_no=7)
    (world.folder / "headers" / "2.json").write_text(json.dumps(to_json(other)))
    with pytest.raises(AttestRefused, match="header of batch 7"):
        sealed_commits(chain, [Folder(world.folder)])


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signer.key"
    path.write_text(KEY.to_hex())
    path.chmod(0o644)
    with pytest.raises(AttestRefused, match="others may read"):
        load_signer(path)
    path.chmod(0o600)
    assert load_signer(path).to_hex() == KEY.to_hex()
    path.write_text("not hex")
    with pytest.raises(AttestRefused, match="not a secp256k1 key"):
        load_signer(path)
