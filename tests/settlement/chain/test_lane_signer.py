"""Hosted lanes signed for by another process: keys under a password, a token, and limits that it keeps to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_connection
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from coincurve import PrivateKey
from structlog.testing import capture_logs

from proofs.accounts import OPERATOR_ID
from proofs.json_form import to_json
from proofs.kinds import Kind
from proofs.messages import PointsEvent, domain_separator, signed_digest
from proofs.signature import recover
from settlement.lane_budget import Budget
from settlement.lane_limits import Limits, Policy
from settlement.lane_signer import KeysRefused, Server, keystore_of, main, open_keys
from settlement.listening import CONNECTIONS_MAX
from settlement.sealing.lanes import POS, SILENT, Keystore, LaneId, SignRequest, Unsigned
from settlement.sealing.remote_lanes import (
    EVENTS_PER_REQUEST_MAX,
    METHOD,
    RemoteLanes,
    RosterRefused,
    Route,
    read_roster,
)
from tests.settlement.chain.field import MERCHANTS
from tests.waiting import eventually

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
TODAY = 20_000


@contextmanager
def served(keystore: Keystore, folder: Path, policy: Policy = HERE) -> Iterator[str]:
    with ExitStack() as stack:
        budget = stack.enter_context(closing(Budget(folder / "days", policy, today=lambda: TODAY)))
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


def kept(path: Path, line: str) -> None:
    """A password or token that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(line + "\n")


def made(folder: Path, *merchants: int) -> Path:
    """Keys by the command, with their public list."""
    kept(folder / "password", PASSWORD)
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
    (tmp_path / "password").chmod(0o640)
    where = ["--password-file", str(tmp_path / "password"), "--roster", str(tmp_path / "roster.json")]
    assert main(["new", *where, str(path)]) == 1, "others may read the password"
    (tmp_path / "password").chmod(0o600)
    kept(tmp_path / "password", "short")
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
        assert [status_of(url, length) for length in ("\u00b2", "9" * 5_000, "-1", "0")] == [413] * 4
    assert reasons(RemoteLanes(url, roster, token=TOKEN), asked[:1]) == [SILENT]


def test_connections_are_bounded_and_one_that_ends_makes_room(tmp_path: Path) -> None:
    """Whoever opens many, without a token or a word, takes no thread for each."""
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    with served(keystore, tmp_path) as url, ExitStack() as stack:
        place = urlsplit(url).hostname or "", urlsplit(url).port or 0
        held = [stack.enter_context(create_connection(place, timeout=10)) for _ in range(CONNECTIONS_MAX)]
        with create_connection(place, timeout=10) as one_more:
            assert one_more.recv(1) == b""
        held[0].close()
        eventually(lambda: answers(url))


def test_a_connection_for_which_there_is_no_thread_takes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_told: object) -> None:
        raise RuntimeError("can't start new thread")

    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    with served(keystore, tmp_path) as url:
        place = urlsplit(url).hostname or "", urlsplit(url).port or 0
        with monkeypatch.context() as patched:
            patched.setattr(ThreadingMixIn, "process_request", none_left)
            for _ in range(CONNECTIONS_MAX):
                with create_connection(place, timeout=10) as refused_one:
                    assert refused_one.recv(1) == b""
        eventually(lambda: answers(url))


def answers(url: str) -> bool:
    """Whether there is room for one more."""
    with suppress(HTTPException, OSError):
        return status_of(url, "0") == 413
    return False


def test_a_signer_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    roster = keystore_of(open_keys(made(tmp_path, 1), PASSWORD)).roster
    route = Route(f"http://u:{PASSWORD}@127.0.0.1:1", TOKEN)
    with capture_logs() as said:
        assert reasons(RemoteLanes(route.url, roster, token=route.token), [request(earning(1))]) == [SILENT]
    assert [each["signer"] for each in said] == ["http://127.0.0.1:1"]
    assert TOKEN not in repr(route)


def reasons(lanes: RemoteLanes, asked: list[SignRequest]) -> list[str]:
    """Why nothing of it is signed."""
    with pytest.raises(Unsigned) as found:
        lanes.sign(asked)
    assert not found.value.given
    return [found.value.refused[at] for at in range(len(asked))]


def status_of(url: str, length: str) -> int:
    """What is answered to a request that says it is so long."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=10)) as asking:
        asking.putrequest("POST", "/")
        for name, value in (("Authorization", f"Bearer {TOKEN}"), ("Content-Length", length)):
            asking.putheader(name, value)
        asking.endheaders()
        return asking.getresponse().status


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
        for day, outcome in ((20_001, None), (20_040, None), (20_000, "points-per-day"), (20_001, "points-per-day")):
            today = day
            assert decided(again, earning(100 + day, points=150)) == [outcome], "a clock that comes back gives no day"
            assert decided(again, earning(9 + day, points=1)) == ["points-per-day"]
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
    kept(tmp_path / "token", TOKEN)
    given = {"--password-file": "password", "--token-file": "token", "--limits": "limits.json"}
    words = [word for name, file in given.items() for word in (name, str(tmp_path / file))]
    assert main(["serve", *words, str(path)]) == 1
    assert "limits" in capsys.readouterr().err


def test_a_lane_without_limits_signs_nothing(tmp_path: Path) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    separator = domain_separator(chain_id=CHAIN_ID, hub=HUB)
    with served(keystore, tmp_path, Policy(separator=separator, default=None, lanes={})) as url:
        assert reasons(RemoteLanes(url, keystore.roster, token=TOKEN), [request(earning(1))]) == ["lane-unknown"]


def test_the_list_of_lanes_holds_no_key(tmp_path: Path) -> None:
    keys = open_keys(made(tmp_path, *MERCHANTS), PASSWORD)
    text = (tmp_path / "roster.json").read_text()
    assert all(key.secret.hex() not in text for key in keys.values())
