"""Batches that became too old for the hub: sealed anew, signed again by real attesters, and committed with a quorum.

The attesters are `python -m auditor attest`, each a process of its own with its state, as they would be run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from proofs.headers import SEAL_LAG_SECONDS_BOUND
from settlement.attestations import take_attestations
from settlement.batches import Settlement, seal_next
from settlement.chain.contracts import Refused
from settlement.chain.outbox import Intent
from settlement.status import status
from settlement.submitter import drive
from tests.conftest import ROOT
from tests.settlement.chain.field import ATTESTERS, Field, day

HOUR = 3_600
READER = "05" * 32
"""The X25519 key of the field's one reader."""
REFUSED = 4


@dataclass(frozen=True, slots=True)
class Attesters:
    """All attesters of the field, and what they read and remember."""

    field: Field
    hub: bytes

    def run(self, s: Settlement) -> list[tuple[int, list[int], list[int]]]:
        """Everybody looks at what is sealed, and what they sign is taken: (exit code, signed, refused) of each."""
        return [self._run(s, number, key) for number, key in enumerate(ATTESTERS)]

    def _run(self, s: Settlement, number: int, key: bytes) -> tuple[int, list[int], list[int]]:
        where = self.field.folder / f"attester-{number}"
        key_file, out = where.with_suffix(".key"), where.with_suffix(".json")
        reader = self.field.folder / "reader.json"
        reader.write_text(json.dumps({"kid": "auditor", "x25519": READER}))
        key_file.write_text(key.hex())
        key_file.chmod(0o600)
        given = {"--rpc": self.field.url, "--hub": f"0x{self.hub.hex()}", "--data": self.field.mirrors[0]}
        given |= {"--keys": reader, "--signer": key_file, "--state": where.with_suffix(".state"), "--out": out}
        words = [
            sys.executable,
            "-m",
            "auditor",
            "attest",
            "--quiet",
            *(str(w) for pair in given.items() for w in pair),
        ]
        run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
        assert run.returncode in {0, REFUSED}, run.stderr
        told = json.loads(out.read_text())
        take_attestations(s, out)
        signed, refused = ([each["batchNo"] for each in told[name]] for name in ("attestations", "refused"))
        return run.returncode, signed, refused


def windows_hours(s: Settlement) -> list[int]:
    """The challenge window of each committed batch, in whole hours."""
    records = [s.alliance.hub.read("record", number) for number in range(1, s.alliance.hub.read("nextBatchNo"))]
    return [(record[1] - record[0]) // HOUR for record in records]


def call(s: Settlement, function: str) -> None:
    policy = s.alliance.policy
    s.outbox.complete(Intent(f"{function}-{s.alliance.chain.now()}", policy.address, policy.data(function), 300_000))


def test_an_attested_batch_that_could_not_be_committed_gets_a_quorum_again(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        attesters = Attesters(field, s.alliance.anchor.hub)
        seal_next(s)
        assert attesters.run(s) == [(0, [1], [])] * 3
        first = status(s.conn)[1].header_hash
        s.alliance.chain.advance_time(7 * HOUR)
        (standing,) = drive(s)
        assert (standing.alarm, status(s.conn)[1].header_hash) == ("batch-late", first), "it may still be committed"
        assert standing.until is not None
        s.alliance.chain.advance_time(standing.until - s.alliance.chain.now())
        drive(s)
        assert status(s.conn)[1].incarnation == 1
        assert attesters.run(s) == [(0, [1], [])] * 3
        assert [each.state.name for each in drive(s)] == ["CONFIRMED"]
        assert windows_hours(s) == [6]


def test_a_pause_of_more_than_the_seal_lag_ends_with_every_batch_in_the_short_window(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        attesters = Attesters(field, s.alliance.anchor.hub)
        call(s, "pause")
        seal_next(s)
        attesters.run(s)
        s.alliance.chain.advance_time(20 * HOUR)
        field.post(day(2))
        seal_next(s)
        assert attesters.run(s) == [(0, [1, 2], [])] * 3
        assert {each.reason for each in drive(s)} == {"the hub is paused"}
        s.alliance.chain.advance_time(5 * HOUR)
        assert {each.reason for each in drive(s)} == {"the hub is paused"}, "sealed anew it would grow as old again"
        call(s, "unpause")
        drive(s)
        assert [each.incarnation for each in status(s.conn, first=1)] == [1, 1]
        assert attesters.run(s) == [(0, [1, 2], [])] * 3, "the second lapsed with the first, on which it was sealed"
        drive(s)
        assert windows_hours(s) == [6, 6]


def test_what_attesters_refuse_holds_up_nothing_after_it(field: Field) -> None:
    """A batch whose signatures never reached us is sealed anew at the hub's own lag; attesters wait longer."""
    field.post(day(1))
    with field.settlement() as s:
        attesters = Attesters(field, s.alliance.anchor.hub)
        seal_next(s)
        attesters.run(s)
        s.conn.execute("DELETE FROM settlement.attestation")
        s.alliance.chain.advance_time(7 * HOUR)
        drive(s)
        field.post(day(2))
        seal_next(s)
        assert attesters.run(s) == [(REFUSED, [2], [1])] * 3
        s.alliance.chain.advance_time(HOUR)
        drive(s)
        assert windows_hours(s) == [168, 6], "the first in the slow window"


def test_the_bound_is_the_contracts_own(field: Field) -> None:
    with field.settlement() as s:
        policy = s.alliance.policy
        params = tuple(policy.read("params"))
        for seconds, refused in ((SEAL_LAG_SECONDS_BOUND, False), (SEAL_LAG_SECONDS_BOUND + 1, True)):
            data = policy.data("setParams", (*params[:2], seconds, *params[3:]))
            if refused:
                with pytest.raises(Refused, match="ParamOutOfBounds"):
                    policy.try_out(data, sender=s.outbox.sender, gas=300_000)
            else:
                policy.try_out(data, sender=s.outbox.sender, gas=300_000)
