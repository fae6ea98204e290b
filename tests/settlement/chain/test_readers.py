"""Auditors come and go from one batch on: what each key opens, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from auditor.fetch import AuditorKey, Missing, Source, load_key
from auditor.mirrors import Folder
from settlement import tables
from settlement.batches import Settlement, publish_again, seal_next
from settlement.publish import Recipient
from settlement.readers import READERS_MAX, ReaderRefused, admit, dismiss, readers
from settlement.readers.__main__ import DONE, NOT_ASKED, REFUSED, main
from tests.conftest import migrate
from tests.ledger.test_migration import back
from tests.settlement.chain.field import Field, day

FIRST = X25519PrivateKey.from_private_bytes(b"\x05" * 32)
SECOND = X25519PrivateKey.from_private_bytes(b"\x15" * 32)


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def seal_day(s: Settlement, field: Field, number: int) -> None:
    field.post(day(number))
    assert seal_next(s) is not None


def opens(field: Field, s: Settlement, key: AuditorKey, batch_no: int, scratch: Path) -> bool:
    """Whether an auditor with this key reads a batch."""
    row = s.conn.execute("SELECT data_hash FROM settlement.batch WHERE batch_no = %s", [batch_no]).fetchone()
    assert row is not None
    try:
        plain = Source([Folder(field.mirrors[0])], key, scratch).fetch(batch_no, bytes(row[0]))
    except Missing:
        return False
    return plain.plain_bytes > 0


def test_a_key_opens_what_it_was_admitted_to(field: Field, tmp_path: Path) -> None:
    first, second = AuditorKey("auditor", FIRST), AuditorKey("auditor-2", SECOND)
    with field.settlement() as s:
        seal_day(s, field, 1)
        assert admit(s.conn, Recipient("auditor-2", public(SECOND))) == 2
        seal_day(s, field, 2)
        assert dismiss(s.conn, "auditor") == 3
        seal_day(s, field, 3)

        def opened(key: AuditorKey) -> list[bool]:
            return [opens(field, s, key, number, tmp_path) for number in range(4)]

        assert opened(first) == [True, True, True, False]
        assert opened(second) == [False, False, True, True]
        told = {"kid": "auditor-2", "x25519": SECOND.private_bytes_raw().hex()}
        earlier = {"kid": "auditor", "x25519": FIRST.private_bytes_raw().hex()}
        path = tmp_path / "rotated.json"
        path.write_text(json.dumps({**told, "earlier": [earlier]}))
        assert opened(load_key(path)) == [True] * 4, "who rotates keeps the old key"
        path.write_text(json.dumps({**told, "earlier": ["none"]}))
        with pytest.raises(ValueError, match="not an auditor key file"):
            load_key(path)


def test_a_sealed_batch_keeps_its_readers(field: Field, tmp_path: Path) -> None:
    """One that is published again after somebody came or went has the same manifest, so the same header."""
    with field.settlement() as s:
        seal_day(s, field, 1)
        s.conn.execute("UPDATE settlement.batch SET state = 'SEALED' WHERE batch_no = 1")
        admit(s.conn, Recipient("auditor-2", public(SECOND)))
        dismiss(s.conn, "auditor")
        for mirror in field.mirrors:
            (mirror / "headers" / "1.json").unlink()
        again = tables.batch(s.conn, 1)
        assert again is not None
        publish_again(s, again)
        assert opens(field, s, AuditorKey("auditor", FIRST), 1, tmp_path)
        assert not opens(field, s, AuditorKey("auditor-2", SECOND), 1, tmp_path)


def test_what_is_refused(field: Field) -> None:
    with field.settlement() as s:
        for kid, key, words in (
            ("auditor", public(SECOND), "given before"),
            ("Auditor", public(SECOND), "a name is"),
            ("a" * 65, public(SECOND), "a name is"),
            ("", public(SECOND), "a name is"),
            ("zero", bytes(32), "not an X25519"),
            ("short", b"1", "not an X25519"),
        ):
            with pytest.raises(ReaderRefused, match=words):
                admit(s.conn, Recipient(kid, key))
        for kid, words in (("auditor", "the last who can read"), ("nobody", "nobody of this name")):
            with pytest.raises(ReaderRefused, match=words):
                dismiss(s.conn, kid)
        assert [(each.kid, each.from_batch, each.until_batch) for each in readers(s.conn)] == [("auditor", 0, None)]
        admit(s.conn, Recipient("auditor-2", public(SECOND)))
        dismiss(s.conn, "auditor")
        with pytest.raises(ReaderRefused, match="given before"):
            admit(s.conn, Recipient("auditor", public(FIRST)))
        for number in range(READERS_MAX - 1):
            admit(s.conn, Recipient(f"more-{number}", public(SECOND)))
        with pytest.raises(ReaderRefused, match="already"):
            admit(s.conn, Recipient("too-many", public(SECOND)))


def test_the_command(field: Field, capsys: pytest.CaptureFixture[str]) -> None:
    with field.settlement():
        pass
    dsn = ["--dsn", field.dsn]
    assert main(["admit", "auditor-2", public(SECOND).hex(), *dsn]) == DONE
    assert main(["dismiss", "auditor", *dsn]) == DONE
    assert main(["dismiss", "auditor", *dsn]) == REFUSED
    assert main(["admit", "third", "no hex", *dsn]) == REFUSED
    capsys.readouterr()
    assert main(["list", *dsn]) == DONE
    assert capsys.readouterr().out.splitlines() == [
        f"auditor  {public(FIRST).hex()}  from 0 until before 1",
        f"auditor-2  {public(SECOND).hex()}  from 1",
    ]
    assert main(["list", "--dsn", "host=nowhere.invalid"]) == NOT_ASKED


def test_an_alliance_of_before_keeps_its_readers(field: Field) -> None:
    """Batches had the readers' public keys where the wrapped keys are now; the migration takes them from the newest."""
    with field.settlement():
        pass
    back(field.dsn, "0016_tasks")
    with psycopg.connect(field.dsn) as conn:
        before = json.dumps([["auditor", public(FIRST).hex()], ["watch", public(SECOND).hex()]])
        conn.execute("UPDATE settlement.batch SET recipients = %s", [before])
    migrate(field.dsn)
    with field.settlement() as s:
        assert [(each.kid, bytes(each.public_key), each.from_batch) for each in readers(s.conn)] == [
            ("auditor", public(FIRST), 0),
            ("watch", public(SECOND), 0),
        ]
        seal_day(s, field, 1)
