"""Hosted lanes signed for by another process: keys under a password, a token, limits, and signers that cheat or are
silent.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from coincurve import PrivateKey

from proofs.accounts import OPERATOR_ID
from proofs.json_form import to_json
from proofs.kinds import Kind
from proofs.messages import PointsEvent, domain_separator, signed_digest
from proofs.signature import recover, sign
from settlement.batches import Settlement, seal_next
from settlement.lane_budget import Budget
from settlement.lane_limits import Limits, Policy
from settlement.lane_signer import KeysRefused, Server, keystore_of, main, open_keys
from settlement.sealing.lanes import POS, SILENT, Keystore, LaneId, Roster, SignRequest, Unsigned, open_keystore
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.remote_lanes import (
    EVENTS_PER_REQUEST_MAX,
    METHOD,
    RemoteLanes,
    RosterRefused,
    Route,
    read_roster,
    write_roster,
)
from settlement.steps import State
from settlement.submitter import drive
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import MERCHANTS, Field, day

TOKEN, PASSWORD = "a token of some letters", "correct horse battery staple"
TILL = LaneId(1, POS)
CHAIN_ID, HUB = 31337, b"\x0b" * 20
AMPLE = Limits(
    kinds=frozenset(Kind),
    points_per_event_max=10**9,
    cash_per_event_max=10**15,
    points_per_day_max=10**12,
    cash_per_day_max=10**18,
)


def policy_for(chain_id: int, hub: bytes, default: Limits = AMPLE, **lanes: Limits) -> Policy:
    """Limits of the tills of merchants, by m1, m2 and so on; all others have the default."""
    own = {LaneId(int(name[1:]), POS): limits for name, limits in lanes.items()}
    return Policy(separator=domain_separator(chain_id=chain_id, hub=hub), default=default, lanes=own)


HERE = policy_for(CHAIN_ID, HUB)


@contextmanager
def served(keystore: Keystore, folder: Path, policy: Policy = HERE) -> Iterator[str]:
    with ExitStack() as stack:
        budget = stack.enter_context(closing(Budget(folder / "days", policy)))
        server = Server(("127.0.0.1", 0), keystore, TOKEN, policy=policy, budget=budget)
        yield stack.enter_context(running(server))


@contextmanager
def running(server: Server) -> Iterator[str]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def earning(nonce: int, *, lane: LaneId = TILL, **fields: Any) -> PointsEvent:
    """An earning of 10 points that the till may sign."""
    made = PointsEvent(
        kind=Kind.EARN,
        merchant_id=lane.merchant_id,
        key_id=lane.key_id,
        nonce=nonce,
        occurred_at=1_800_000_000,
        issuer_id=lane.merchant_id,
        member_ref=b"\x01" * 32,
        points=10,
        terms_id=1,
        settle_amount=0,
        ref_event_id=bytes(32),
        campaign_id=0,
        level=0,
        basis=0,
        detail_hash=nonce.to_bytes(32, "big"),
    )
    return replace(made, **fields)


def request(event: PointsEvent, lane: LaneId | None = None) -> SignRequest:
    separator = domain_separator(chain_id=CHAIN_ID, hub=HUB)
    digest = signed_digest(separator, event.hash_struct())
    return SignRequest(lane or LaneId(event.merchant_id, event.key_id), digest, event)


def made(folder: Path, *merchants: int) -> Path:
    """Keys by the command, with their public list."""
    (folder / "password").write_text(PASSWORD + "\n")
    numbers = [word for merchant in merchants for word in ("--merchant", str(merchant))]
    where = ["--password-file", str(folder / "password"), "--roster", str(folder / "roster.json")]
    assert main(["new", *where, *numbers, str(folder / "lanes.sealed")]) == 0
    return folder / "lanes.sealed"


def test_keys_are_made_once_and_open_with_their_password_only(tmp_path: Path) -> None:
    path = made(tmp_path, 1)
    keys = open_keys(path, PASSWORD)
    assert keys.keys() == {LaneId(party, key) for party in (1, OPERATOR_ID) for key in (1, 2, 3)}
    assert path.stat().st_mode & 0o077 == 0
    assert all(key.secret.hex() not in path.read_text() for key in keys.values())
    made(tmp_path, 1, 2)
    more = open_keys(path, PASSWORD)
    assert {lane: more[lane].secret for lane in keys} == {lane: key.secret for lane, key in keys.items()}
    roster = read_roster(tmp_path / "roster.json")
    assert [(lane.id, lane.address, lane.kinds) for lane in roster] == [
        (lane.id, lane.address, lane.kinds) for lane in keystore_of(more).roster
    ]
    with pytest.raises(KeysRefused, match="does not open"):
        open_keys(path, PASSWORD + ".")
    (tmp_path / "password").write_text("short")
    where = ["--password-file", str(tmp_path / "password"), "--roster", str(tmp_path / "roster.json")]
    assert main(["new", *where, str(path)]) == 1
    (tmp_path / "roster.json").write_text('{"lanes": [{"merchant_id": 1}]}')
    with pytest.raises(RosterRefused):
        read_roster(tmp_path / "roster.json")


def test_who_has_the_token_is_signed_for(tmp_path: Path) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    roster = read_roster(tmp_path / "roster.json")
    asked = [request(earning(number)) for number in range(1, EVENTS_PER_REQUEST_MAX + 3)]
    with served(keystore, tmp_path) as url:
        signatures = RemoteLanes(url, roster, token=TOKEN).sign(asked)
        lane = roster.get(TILL)
        assert lane is not None
        assert [recover(each.digest, *signature) for each, signature in zip(asked, signatures, strict=True)] == [
            lane.address
        ] * len(asked)
        assert signatures == keystore.sign(asked)
        for token in (None, TOKEN[:-1], TOKEN + "."):
            assert reasons(RemoteLanes(url, roster, token=token), asked[:1]) == [SILENT]
        stranger = keystore_of({LaneId(9, POS): PrivateKey(b"\x09" * 32)}).roster
        elsewhere = request(earning(1, lane=LaneId(9, POS)))
        assert reasons(RemoteLanes(url, stranger, token=TOKEN), [elsewhere]) == ["lane-unknown"]
        sound = {"lane": f"0x{lane.address.hex()}", "digest": "0x" + "07" * 32, "event": to_json(earning(1))}
        senseless: list[object] = ["x", [sound | {"digest": "0x07"}], [sound | {"event": {}}], [{}], [[sound]]]
        for params in [*senseless, [sound] * (EVENTS_PER_REQUEST_MAX + 1)]:
            told = refused(url, {"method": METHOD, "params": params})
            assert told["error"]["code"] == -32602
        for method in ("eth_sign", "lane_signDigests"):
            assert refused(url, {"method": method, "params": []})["error"]["code"] == -32601
    assert reasons(RemoteLanes(url, roster, token=TOKEN), asked[:1]) == [SILENT]


def reasons(lanes: RemoteLanes, asked: list[SignRequest]) -> list[str]:
    """Why nothing of it is signed."""
    with pytest.raises(Unsigned) as found:
        lanes.sign(asked)
    assert not found.value.given
    return [found.value.refused[at] for at in range(len(asked))]


def refused(url: str, body: dict[str, object]) -> dict[str, dict[str, int]]:
    answer = requests.post(url, data=json.dumps(body), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    told: dict[str, dict[str, int]] = answer.json()
    return told


NARROW = Limits(
    kinds=frozenset({Kind.EARN, Kind.REDEEM}),
    points_per_event_max=100,
    cash_per_event_max=1_000,
    points_per_day_max=150,
    cash_per_day_max=1_500,
)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (request(earning(1, lane=LaneId(2, POS)), TILL), "not-its-lane"),
        (request(earning(1, key_id=2), TILL), "not-its-lane"),
        (request(earning(1))._replace(event=earning(1, points=9)), "digest-differs"),
        (request(earning(1))._replace(digest=bytes(32)), "digest-differs"),
        (request(earning(1, kind=Kind.REFUND_EARN)), "kind"),
        (request(earning(1, kind=Kind.EXCHANGE_OUT)), "kind"),
        (request(earning(0)), "nonce"),
        (request(earning(2**63)), "nonce"),
        (request(earning(1, points=101)), "points-per-event"),
        (request(earning(1, settle_amount=1_001)), "cash-per-event"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_by_name(tmp_path: Path, asked: SignRequest, reason: str) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    with served(keystore, tmp_path, policy_for(CHAIN_ID, HUB, NARROW)) as url:
        lanes = RemoteLanes(url, keystore.roster, token=TOKEN)
        assert reasons(lanes, [asked]) == [reason]
        with pytest.raises(Unsigned) as found:
            lanes.sign([request(earning(5)), asked])
        assert (set(found.value.refused), set(found.value.given)) == ({1}, {0}), "the others are signed"


def test_another_chain_or_hub_is_another_digest(tmp_path: Path) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    for number, policy in enumerate((policy_for(1, HUB), policy_for(CHAIN_ID, b"\x0c" * 20))):
        (tmp_path / str(number)).mkdir()
        with served(keystore, tmp_path / str(number), policy) as url:
            lanes = RemoteLanes(url, keystore.roster, token=TOKEN)
            assert reasons(lanes, [request(earning(1))]) == ["digest-differs"]


def decided(budget: Budget, *events: PointsEvent) -> list[str | None]:
    return [None if each is None else each.value for each in budget.decide([(TILL, event) for event in events])]


def test_a_day_has_an_end_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    today = 20_000
    with closing(Budget(tmp_path / "days", policy_for(CHAIN_ID, HUB, NARROW), today=lambda: today)) as budget:
        over = [None, None, "points-per-day", None]
        assert decided(budget, *(earning(no, points=60) for no in (1, 2, 3)), earning(4, points=30)) == over
        assert decided(budget, earning(5, points=1)) == ["points-per-day"]
        assert decided(budget, earning(1, points=60), earning(2, points=10)) == [None, None], "signed for before"
        assert decided(budget, earning(2, points=61)) == ["points-per-day"], "the difference counts"
        assert decided(budget, earning(9, points=0, settle_amount=1_000)) == [None]
        assert decided(budget, earning(10, points=0, settle_amount=501)) == ["cash-per-day"]
        assert budget.decide([(LaneId(2, POS), earning(1, points=60))]) == [None], "each lane has its own day"
    with closing(Budget(tmp_path / "days", policy_for(CHAIN_ID, HUB, NARROW), today=lambda: today)) as again:
        assert decided(again, earning(5, points=1)) == ["points-per-day"], "a new process knows what was signed"
        today += 1
        assert decided(again, earning(5, points=1)) == [None]
    assert (tmp_path / "days").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"chainId": 1}',
        '{"chainId": 1, "hub": "0x0b", "default": {}}',
        '{"chainId": true, "hub": "0x%s"}',
        '{"chainId": 1, "hub": "0x%s", "default": {"pointsPerDay": -1}}',
        '{"chainId": 1, "hub": "0x%s", "default": {"pointsPerDay": 1.5}}',
        '{"chainId": 1, "hub": "0x%s", "default": {"pointsPerWeek": 1}}',
        '{"chainId": 1, "hub": "0x%s", "default": {"kinds": [99]}}',
        '{"chainId": 1, "hub": "0x%s", "lanes": {"1": {}}}',
        '{"chainId": 1, "hub": "0x%s", "lane": {}}',
    ],
)
def test_limits_that_are_none_serve_nobody(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path, 1)
    (tmp_path / "limits.json").write_text(text.replace("%s", HUB.hex()))
    (tmp_path / "token").write_text(TOKEN)
    given = {"--password-file": "password", "--token-file": "token", "--limits": "limits.json"}
    words = [word for name, file in given.items() for word in (name, str(tmp_path / file))]
    assert main(["serve", *words, str(path)]) == 1
    assert "limits" in capsys.readouterr().err


def test_a_lane_without_limits_signs_nothing(tmp_path: Path) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    separator = domain_separator(chain_id=CHAIN_ID, hub=HUB)
    with served(keystore, tmp_path, Policy(separator=separator, default=None, lanes={})) as url:
        assert reasons(RemoteLanes(url, keystore.roster, token=TOKEN), [request(earning(1))]) == ["lane-unknown"]


def elsewhere(field: Field) -> tuple[Keystore, Roster, Policy]:
    """The field's own lanes, as another process holds them, with ample limits on its chain."""
    with field.settlement() as s:
        keystore = open_keystore(field.folder / "lanes.json", production=False)
        anchor = s.alliance.anchor
    write_roster(field.folder / "public.json", keystore.roster)
    return keystore, read_roster(field.folder / "public.json"), policy_for(anchor.chain_id, anchor.hub)


def test_a_batch_is_sealed_with_keys_that_are_elsewhere(field: Field) -> None:
    """And one whose signer signs by other keys is refused before anything is stored."""
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain:
        with cheating(field.folder) as url, pytest.raises(SealRefused) as found:
            seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert found.value.reason is Reason.SIGNATURE
        with served(keystore, field.folder, policy) as url:
            batch = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert batch is not None
        assert (batch.batch_no, batch.state) == (1, State.PUBLISHED)


def signers_in(s: Settlement, batch_no: int) -> set[int]:
    """Whose leaves a batch holds."""
    rows = s.conn.execute("SELECT event_id FROM settlement.batch_leaf WHERE batch_no = %s", [batch_no]).fetchall()
    return {int.from_bytes(event_id[:4], "big") for (event_id,) in rows}


def parked(s: Settlement) -> set[str]:
    return {row.place for row in alerts(s.conn) if row.code == "lane-parked"}


def test_what_a_signer_refuses_waits_and_goes_when_it_may(field: Field) -> None:
    keystore, roster, ample = elsewhere(field)
    narrow = Policy(
        separator=ample._separator,
        default=AMPLE,
        lanes={TILL: replace(AMPLE, kinds=frozenset({Kind.REDEEM}))},
    )
    field.post(day(1))
    with field.settlement() as plain:
        with served(keystore, field.folder, narrow) as url:
            first = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert first is not None
        assert parked(plain) == {"lane 1/1: kind"}
        assert {2, 3} <= signers_in(plain, 1)
        legs = first.done.header.leaf_count
        field.post(day(2))
        with served(keystore, field.folder, ample) as url:
            second = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert second is not None
        assert parked(plain) == set()
        (total,) = plain.conn.execute("SELECT count(*) FROM settlement.batch_leaf").fetchone() or (0,)
        assert legs + second.done.header.leaf_count == total
        assert plain.conn.execute("SELECT count(*) FROM settlement.parked WHERE sealed_in IS NULL").fetchone() == (0,)


@contextmanager
def silent(*, trickle: bytes = b"") -> Iterator[str]:
    """A signer that takes what it is asked and says nothing, or says it a byte at a time and never comes to an end."""
    over = threading.Event()

    def hold(connected: socket.socket) -> None:
        with connected:
            for byte in trickle * 1_000:
                try:
                    connected.sendall(bytes([byte]))
                except OSError:
                    return
                if over.wait(0.05):
                    return
            over.wait()

    def accept(listening: socket.socket) -> None:
        while not over.is_set():
            try:
                connected, _ = listening.accept()
            except TimeoutError:
                continue
            threading.Thread(target=hold, args=(connected,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        accepting = threading.Thread(target=accept, args=(listening,))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            accepting.join()


@pytest.mark.parametrize("trickle", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n "])
def test_one_silent_signer_leaves_out_its_own_lanes_only(field: Field, trickle: bytes) -> None:
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain, served(keystore, field.folder, policy) as url:
        with silent(trickle=trickle) as nobody:
            lanes = RemoteLanes(url, roster, token=TOKEN, elsewhere={2: Route(nobody)}, sign_seconds_max=0.5)
            first = seal_next(replace(plain, lanes=lanes))
        assert first is not None
        assert (first.state, signers_in(plain, 1)) == (State.PUBLISHED, {1, 3})
        assert parked(plain) == {f"lane 2/1: {SILENT}"}
        field.post(day(2))
        again = RemoteLanes(url, roster, token=TOKEN, elsewhere={2: Route(url, TOKEN)})
        assert seal_next(replace(plain, lanes=again)) is not None
        assert (signers_in(plain, 2), parked(plain)) == ({1, 2, 3}, set())


def test_while_no_signer_answers_nothing_is_sealed_and_the_next_turn_goes_on(field: Field) -> None:
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain:
        with silent() as nobody:
            lanes = RemoteLanes(nobody, roster, token=TOKEN, sign_seconds_max=0.3)
            assert seal_next(replace(plain, lanes=lanes)) is None
        assert len(parked(plain)) == len(MERCHANTS)
        with served(keystore, field.folder, policy) as url:
            batch = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert batch is not None
        assert (batch.batch_no, batch.incarnation, parked(plain)) == (1, 0, set())


def test_a_batch_that_is_made_again_waits_for_its_signer(field: Field) -> None:
    """A mirror was down after sealing; when it is back the signer is silent, and then it is not."""
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    down = field.mirrors[1]
    with field.settlement() as plain:
        down.rename(down.with_name("away"))
        down.write_text("no folder")
        with served(keystore, field.folder, policy) as url:
            sealed = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert sealed is not None
        assert sealed.state is State.SEALED
        down.unlink()
        down.with_name("away").rename(down)
        with silent() as nobody:
            lanes = RemoteLanes(nobody, roster, token=TOKEN, sign_seconds_max=0.3)
            (standing,) = drive(replace(plain, lanes=lanes))
        assert (standing.state, standing.alarm) == (State.SEALED, "signer-refused")
        with served(keystore, field.folder, policy) as url:
            (standing,) = drive(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert standing.state is State.PUBLISHED


@contextmanager
def cheating(folder: Path) -> Iterator[str]:
    """A signer that signs everything with a key of its own."""
    key = PrivateKey(b"\x31" * 32)

    class Other(Server):
        def signed(self, asked: Any) -> list[dict[str, str]]:
            digests = [bytes.fromhex(each["digest"].removeprefix("0x")) for each in asked]
            return [{"signature": f"0x{(r + vs).hex()}"} for r, vs in (sign(key, digest) for digest in digests)]

    with ExitStack() as stack:
        budget = stack.enter_context(closing(Budget(folder / "cheating", HERE)))
        server = Other(("127.0.0.1", 0), Keystore({}), TOKEN, policy=HERE, budget=budget)
        yield stack.enter_context(running(server))


def test_the_list_of_lanes_holds_no_key(tmp_path: Path) -> None:
    keys = open_keys(made(tmp_path, *MERCHANTS), PASSWORD)
    text = (tmp_path / "roster.json").read_text()
    assert all(key.secret.hex() not in text for key in keys.values())
