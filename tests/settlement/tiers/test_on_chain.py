"""Epochs on the real contract: published once, in a chain of headers, taken back; the task and the command as well."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from proofs.keccak import keccak256
from proofs.tier.statement import alliance_id
from settlement.alliance import NotFounded, OtherCode
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Intent, LocalSigner, Outbox
from settlement.chain.senders import write_keystore
from settlement.chain.transactions import call
from settlement.tasks import turn
from settlement.tasks.ticks import BY_NAME
from settlement.tasks.turn import Outcome
from settlement.tasks.works import Works
from settlement.tiers import __main__ as command
from settlement.tiers import epochs, rows, signing_keys
from settlement.tiers.epochs import Desk
from settlement.tiers.registry import NO_HASH, REVOKE_GAS, Held, NoCircuit
from settlement.tiers.rows import State
from settlement.tiers.witness import witness
from settlement.watch.alerts import alerts
from tests.settlement.chain import tiny
from tests.settlement.chain.liar import Distortion, answering, lying
from tests.settlement.tiers.anchored import GRACE_S, LENGTH_S, NUMBER, Anchored, on, works_of
from tests.settlement.tiers.ground import VAULT, Ground
from tests.settlement.tiers.paper import SIGNER


@pytest.fixture
def anchored(ground: Ground, punctual: Chain) -> Anchored:
    """On a chain at our clock's time, by which the command judges."""
    return on(ground, punctual)


def test_a_root_is_anchored_once_and_the_next_header_names_it(anchored: Anchored) -> None:
    contract = anchored.found()
    (first,) = anchored.drive()
    assert (first.epoch, first.state) == (10, State.ANCHORED), first.reason
    anchored.drive()
    with anchored.ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
        mine = witness(conn, VAULT, anchored.ground.trees, "m1")
        sent = conn.execute("SELECT purpose FROM settlement.chain_nonce WHERE purpose LIKE 'tier%'").fetchall()
    root, header_hash, not_before, not_after, circuit_no, revoked = contract.read("epochOf", 10)
    assert (root, header_hash) == (mine.root, mine.signed.header.struct_hash())
    assert (not_before, not_after, circuit_no, revoked) == (epoch.not_before, epoch.not_after, 1, False)
    assert contract.read("epochDigest", mine.signed.header) == mine.signed.header.digest(
        anchored.chain.chain_id(), contract.address
    )
    assert contract.read("allianceId") == epoch.alliance_id == alliance_id(anchored.chain.chain_id(), contract.address)
    assert contract.read("isActive", 10, anchored.chain.now())
    assert sent == [("tier-epoch:10",)]
    states = {each.epoch: each.state for each in anchored.drive(LENGTH_S)}
    assert states == {10: State.ANCHORED, 11: State.ANCHORED}
    with anchored.ground.conn() as conn:
        second = rows.epochs(conn)[-1].signed
    assert second is not None
    assert second.header.previous == header_hash


def test_a_revoked_epoch_is_inactive_on_the_chain(anchored: Anchored) -> None:
    contract = anchored.found()
    anchored.drive()
    with anchored.ground.conn() as conn:
        rows.revoke(conn, 10, now=0)
    (standing,) = anchored.drive()
    assert standing.state is State.RETIRED
    assert contract.read("epochOf", 10)[-1]
    assert not contract.read("isActive", 10, anchored.chain.now())
    assert anchored.drive() == []


REVOKED = f"{1:064x}"


def revoked(method: str, params: list[Any], result: Any) -> Any:
    """A node that says of every epoch that it was taken back: the last word of its record."""
    is_epoch = method == "eth_call" and params[0]["data"].startswith("0x" + keccak256(b"epochOf(uint32)")[:4].hex())
    return result[: -len(REVOKED)] + REVOKED if is_epoch else result


FALSE: dict[str, Distortion] = {
    "taken back": revoked,
    "overtaken": answering("lastEpoch()", "0x" + 2 * f"{NUMBER + 7:064x}"),
}


@pytest.mark.parametrize("what", FALSE)
def test_nothing_is_erased_on_one_nodes_word(ground: Ground, punctual: Chain, what: str) -> None:
    """An epoch that is in force, and one that is to be signed."""
    with lying(punctual.url) as liar:
        anchored = replace(on(ground, Chain(liar.url)), second=punctual)
        anchored.found()
        anchored.drive()
        liar.distort = FALSE[what]
        standings = anchored.drive(LENGTH_S)
        assert {each.alarm for each in standings} - {""} == {"nodes-disagree"}, standings
        assert State.RETIRED not in {each.state for each in anchored.rows()}
        liar.honest()
        assert [each.state for each in anchored.drive(LENGTH_S)] == [State.ANCHORED] * 2
        with ground.conn() as conn:
            assert alerts(conn) == []


def test_a_second_node_that_is_away_holds_up_what_is_final_and_no_publication(ground: Ground, punctual: Chain) -> None:
    with lying(punctual.url) as liar:
        anchored = replace(on(ground, punctual), second=Chain(liar.url))
        contract = anchored.found()
        liar.deaf = {"eth_getBlockByNumber"}
        (standing,) = anchored.drive()
        assert (standing.state, standing.alarm) == (State.SIGNED, "chain-unclear")
        assert contract.read("lastEpoch")[0] == NUMBER
        liar.honest()
        assert [each.state for each in anchored.drive()] == [State.ANCHORED]


def test_without_a_circuit_the_epoch_waits_and_says_so(anchored: Anchored) -> None:
    anchored.found(circuit=False)
    (standing,) = anchored.drive()
    assert (standing.state, standing.alarm) == (State.BUILT, "tier-epoch-stuck")
    assert NoCircuit.__name__ in standing.reason
    with anchored.ground.conn() as conn:
        port = anchored.port(conn)
        assert port.last() == (0, NO_HASH)
        assert port.held(10) == Held(NO_HASH, revoked=False)
        assert (port.signer(), port.grace_seconds()) == (SIGNER, GRACE_S)


def test_a_signed_epoch_that_was_kept_back_is_published_by_the_next_drive(anchored: Anchored) -> None:
    """Killed between signing and sending: the header that goes out is the one that was signed."""
    contract = anchored.found()

    class Stop(Exception):
        pass

    def stop_here(reached: str) -> None:
        if reached == "signed":
            raise Stop

    with anchored.ground.conn() as conn:
        desk = Desk(
            conn=conn,
            vault=VAULT,
            clock=anchored.clock,
            trees=anchored.ground.trees,
            registry=anchored.port(conn),
            now=anchored.chain.now(),
            checkpoint=stop_here,
        )
        with pytest.raises(Stop):
            epochs.drive(desk)
        (signed,) = rows.epochs(conn)
    assert signed.state is State.SIGNED
    assert contract.read("lastEpoch") == (0, NO_HASH)
    anchored.drive()
    assert contract.read("epochOf", 10)[1] == signed.header_hash


def test_another_contract_or_none_is_refused(anchored: Anchored) -> None:
    with anchored.ground.conn() as conn, pytest.raises(NotFounded):
        anchored.port(conn)
    anchored.found()
    with anchored.ground.conn() as conn:
        conn.execute("UPDATE settlement.tier_registry SET code_hash = decode(repeat('00', 32), 'hex')")
        with pytest.raises(OtherCode):
            anchored.port(conn)


@pytest.fixture
def works(anchored: Anchored, monkeypatch: pytest.MonkeyPatch) -> Works:
    now_ms = anchored.chain.now() * 1_000
    return works_of(anchored, lambda: now_ms, monkeypatch)


def test_the_task_seals_an_epoch(anchored: Anchored, works: Works) -> None:
    assert turn.take(BY_NAME["epochs"], works) is Outcome.NOT_FOUNDED
    anchored.found()
    assert turn.take(BY_NAME["epochs"], works) is Outcome.DONE
    with anchored.ground.conn() as conn:
        assert [each.state for each in rows.epochs(conn)] == [State.ANCHORED]
    assert [path.name for path in (Path(works.settings.var) / "tiers").iterdir()] == ["epoch-10.tree"]


def test_two_workers_that_are_asked_at_once_take_turns_and_send_one_transaction(
    anchored: Anchored, works: Works
) -> None:
    anchored.found()
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: turn.take(BY_NAME["epochs"], works), range(2)))
    assert set(outcomes) <= {Outcome.DONE, Outcome.LED_ELSEWHERE}
    assert Outcome.DONE in outcomes
    with anchored.ground.conn() as conn:
        assert [each.state for each in rows.epochs(conn)] == [State.ANCHORED]
        sent = conn.execute("SELECT count(*) FROM settlement.chain_nonce WHERE purpose LIKE 'tier%'").fetchone()
    assert sent == (1,)


def test_the_command_seals_shows_revokes_erases_and_makes_keys(
    anchored: Anchored, works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    anchored.found()
    assert works.settings.tier_epochs_start == anchored.clock.start
    assert command.main(["status"]) == 0
    assert capsys.readouterr().out == ""
    assert command.main(["seal"]) == 0
    assert "ANCHORED: in force" in capsys.readouterr().out
    assert command.main(["erase", "m2"]) == 0
    assert "1 leaves are left as hashes" in capsys.readouterr().out
    assert command.main(["erase", "nobody"]) == 1
    assert command.main(["withdraw", "m3"]) == 0
    assert "1 keys have ended" in capsys.readouterr().out
    with anchored.ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
    assert command.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert f"{epoch.epoch} " in shown
    assert "3 members root 0x" in shown
    assert command.main(["revoke", str(epoch.epoch + 1)]) == 1
    assert command.main(["revoke", str(epoch.epoch)]) == 0
    assert "RETIRED" in capsys.readouterr().out or anchored.rows()[0].state is State.RETIRED
    assert command.main(["new-key"]) == 0
    address = capsys.readouterr().out.split(":", 1)[0].strip()
    with anchored.ground.conn() as conn:
        assert signing_keys.newest(conn) == bytes.fromhex(address.removeprefix("0x"))


GUARDIAN: LocalAccount = Account.from_key(keccak256(b"tongdui-test-guardian"))


@pytest.fixture
def guarded(anchored: Anchored) -> Contract:
    """A contract whose guardian is somebody else, as after a hand-over; it has money to pay with."""
    contract, guardian = anchored.found(), bytes.fromhex(GUARDIAN.address[2:])
    with anchored.ground.conn() as conn, anchored.outbox(conn).leading(wait_s_max=5) as outbox:
        role = contract.read("GUARDIAN_ROLE")
        call(outbox, "guard", contract, "grantRole", role, guardian)
        call(outbox, "leave", contract, "renounceRole", role, outbox.sender)
    tiny.send(anchored.chain, to=guardian, data=b"", value=10**18)
    return contract


def test_after_a_hand_over_the_command_says_who_has_to_call_what(
    anchored: Anchored, guarded: Contract, works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that very call, from that account, ends the epoch on the chain; the alert stays until it has."""
    assert works.settings.tier_epochs_start == anchored.clock.start
    assert command.main(["seal"]) == 0
    assert command.main(["revoke", "10"]) == 1
    told = capsys.readouterr().out
    assert f"only a guardian may revoke it: {GUARDIAN.address.lower()}" in told
    assert "0x" + guarded.address.hex() in told
    data = bytes.fromhex(next(line for line in told.splitlines() if "data" in line).split("0x")[1])
    (standing,) = anchored.drive()
    assert (standing.state, standing.alarm) == (State.ANCHORED, "tier-epoch-unrevoked")
    assert not guarded.read("epochOf", 10)[-1]
    assert command.main(["status"]) == 1
    assert "tier-epoch-unrevoked" in capsys.readouterr().out
    with (
        anchored.ground.conn() as conn,
        Outbox(conn, anchored.chain, LocalSigner(GUARDIAN.key)).leading() as wallet,
    ):
        wallet.complete(Intent("by its own wallet", guarded.address, data, REVOKE_GAS))
    (standing,) = anchored.drive()
    assert standing.state is State.RETIRED
    assert command.main(["status"]) == 0


def test_a_guardian_revokes_with_its_keystore(
    anchored: Anchored, guarded: Contract, works: Works, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stranger's keystore is refused by name, and one without its password is not read."""
    assert works.settings.tier_epochs_start == anchored.clock.start
    password = tmp_path / "password"
    password.write_text("open\n")
    password.chmod(0o600)
    for name, key in (("guardian", bytes(GUARDIAN.key)), ("stranger", keccak256(b"tongdui-test-stranger"))):
        write_keystore(tmp_path / f"{name}.json", key, "open")
    assert command.main(["seal"]) == 0

    def revoke(name: str, *more: str) -> int:
        return command.main(["revoke", "10", "--guardian", str(tmp_path / f"{name}.json"), *more])

    assert revoke("guardian") == 1
    assert "neither without the other" in capsys.readouterr().err
    with anchored.ground.conn() as conn:
        assert rows.epochs(conn)[0].revoked_at is None, "nothing was done"
    assert revoke("stranger", "--password-file", str(password)) == 1
    assert "a guardian has to revoke it" in capsys.readouterr().err
    assert revoke("guardian", "--password-file", str(password)) == 0
    assert guarded.read("epochOf", 10)[-1]
    assert f"by the guardian {GUARDIAN.address.lower()}" in capsys.readouterr().out
    anchored.drive()
    assert anchored.rows()[0].state is State.RETIRED
    assert sorted(anchored.sent()) == [("tier-epoch:10", "MINED", True), ("tier-revoke:10", "MINED", True)]


def test_a_revoked_epoch_is_erased_in_its_time_whatever_its_guardian_does(
    anchored: Anchored, guarded: Contract
) -> None:
    anchored.drive()
    with anchored.ground.conn() as conn:
        rows.revoke(conn, 10, now=anchored.chain.now())
    assert {each.epoch: each.state for each in anchored.drive(LENGTH_S)}[10] is State.ANCHORED, "within the grace"
    anchored.drive(LENGTH_S + GRACE_S)
    assert anchored.rows()[0].state is State.RETIRED
    assert not guarded.read("epochOf", 10)[-1]


def test_the_command_says_why_it_cannot_run(
    anchored: Anchored, works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    assert works.settings.database_url == anchored.ground.dsn
    assert command.main(["seal"]) == 2
    assert "no TierRegistry" in capsys.readouterr().err
