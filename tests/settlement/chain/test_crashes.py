"""SIGKILL at every named point between sealing and the window: afterwards there is exactly one effect on the chain."""

import signal
import subprocess
import sys

import pytest

from settlement.mirrors.folder import FolderMirror
from settlement.publish import published_header
from settlement.status import status
from settlement.submitter import drive
from tests.settlement.chain import driver
from tests.settlement.chain.conftest import ROOT
from tests.settlement.chain.field import Field, day


def killed_at(field: Field, point: str) -> bool:
    command = [sys.executable, "-m", "tests.settlement.chain.driver", field.dsn, field.url, str(field.folder), point]
    return subprocess.run(command, cwd=ROOT, timeout=110, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["sealed", "published", "signed", "sent"])
def test_a_kill_leaves_one_effect(field: Field, point: str) -> None:
    field.post(day(1))
    with field.settlement():
        pass
    assert killed_at(field, point)
    driver.main(field.dsn, field.url, str(field.folder), "-")
    with field.settlement() as s:
        committed = s.alliance.hub.events("BatchCommitted", first=0)
        (_, batch) = status(s.conn)
        assert [event.fields["batchNo"] for event in committed] == [0, 1]
        assert committed[1].fields["headerHash"] == batch.header_hash
        assert [published_header(FolderMirror(folder), 1) for folder in field.mirrors] == [batch.header] * 2
        assert (batch.state, batch.incarnation) == ("CONFIRMED", 0)
        assert [(tx.purpose, tx.status) for tx in batch.transactions] == [("commit:1.0", "MINED")]
        s.alliance.chain.advance_time(6 * 3_600)
        assert [standing.state.name for standing in drive(s)] == ["FINALISED"]
        assert len(s.alliance.hub.events("BatchFinalised", first=0)) == 2
