"""The self-audit: another process looks at what is sealed, and only what it signs off reaches a mirror."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from settlement.batches import Settlement, publish_again, seal_next
from settlement.mirrors.folder import FolderMirror
from settlement.sealing.inspection import AuditorProcess, BatchFaulty
from settlement.sealing.lanes import create_keystore
from settlement.steps import State
from settlement.submitter import drive
from settlement.tables import Batch
from tests.settlement.chain.field import MERCHANTS, Field, day


class Bucket(FolderMirror):
    """A mirror that the verifier cannot read by itself, as one behind credentials."""

    @property
    def name(self) -> str:
        return "s3://nowhere"


def inspected(field: Field, s: Settlement, kid: str = "auditor") -> Settlement:
    """With the verifier, a recipient's key and a private folder."""
    keys = field.folder / "inspector.key"
    keys.write_text(json.dumps({"kid": kid, "x25519": "0x" + "05" * 32}))
    keys.chmod(0o600)
    anchor = s.alliance.anchor
    inspector = AuditorProcess(
        rpc=field.url,
        hub=anchor.hub,
        deploy_block=anchor.deploy_block,
        private=field.folder / "private",
        mirrors=[Bucket(each.root) for each in map(FolderMirror, field.mirrors)],
        keys=keys,
    )
    return replace(s, inspector=inspector)


def sealed(s: Settlement) -> Batch:
    batch = seal_next(s)
    assert batch is not None
    return batch


def test_only_what_the_verifier_signs_off_is_published(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as plain:
        assert sealed(inspected(field, plain)).state is State.PUBLISHED
        report = json.loads((field.folder / "private" / "examined-1.json").read_text())
        assert report["findings"] == []
    field.post(day(2))
    with field.settlement() as plain:
        stranger = create_keystore(field.folder / "stolen.json", MERCHANTS)
        s = inspected(field, replace(plain, lanes=stranger))
        batch = sealed(s)
        assert (batch.batch_no, batch.state) == (2, State.SEALED)
        assert not any((mirror / "headers" / "2.json").exists() for mirror in field.mirrors)
        with pytest.raises(BatchFaulty, match="signature-of-another"):
            publish_again(s, batch)
        with pytest.raises(BatchFaulty, match=r"(?s)ended with 2.*not wrapped for auditor nobody"):
            publish_again(inspected(field, s, "nobody"), batch)
        assert not any((mirror / "headers" / "2.json").exists() for mirror in field.mirrors), "what it could not see"
        s = inspected(field, s)
        standing = next(each for each in drive(s) if each.batch_no == batch.batch_no)
        assert (standing.state, standing.alarm) == (State.SEALED, "batch-faulty")


def test_what_a_batch_opens_from_is_brought_from_any_kind_of_mirror(field: Field) -> None:
    """Genesis for the first; and everything again where the inspector's own folder is lost."""
    for number in (1, 2, 3):
        field.post(day(number))
    with field.settlement() as plain:
        s = inspected(field, plain)
        first = seal_next(s, leaves_max=14)
        second = seal_next(s, leaves_max=14)
        assert [each and each.state for each in (first, second)] == [State.PUBLISHED] * 2
        shutil.rmtree(field.folder / "private")
        assert sealed(s).state is State.PUBLISHED
        shutil.rmtree(field.folder / "private")
        for mirror in field.mirrors:
            (mirror / "headers" / "2.json").unlink()
        field.post(day(4))
        assert sealed(s).state is State.PUBLISHED, "it is found under its hash"
        shutil.rmtree(field.folder / "private")
        for mirror in field.mirrors:
            shutil.rmtree(mirror / "headers" / "2")
        field.post(day(5))
        batch = sealed(s)
        assert batch.state is State.SEALED, "its header of batch 2 is nowhere"
        with pytest.raises(BatchFaulty, match=r"no mirror has header [0-9a-f]{64} of batch 2"):
            publish_again(s, batch)
