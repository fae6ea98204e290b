"""The line to a node against whoever listens there: silent, slow, with another's certificate, closing, out of step."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from settlement.chain.client import Chain, ChainUnclear, NodeRefused
from settlement.posting import leads_elsewhere, place, shown

CUT_OFF_S_MAX = 20
LISTEN_S = 0.05
SECRET = "geheim"
NOT_ASKED = "not asked again so soon: it took too long"

Talk = Callable[[socket.socket, threading.Event], None]
"""What is done with each connection that comes in, until the event."""


@contextmanager
def listening(talk: Talk, *, scheme: str = "http") -> Iterator[tuple[str, list[int]]]:
    """An address, and a list that gets longer with each connection."""
    over, came, open_ = threading.Event(), list[int](), list[socket.socket]()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(LISTEN_S)
    threads: list[threading.Thread] = []

    def serve() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                connection, _ = server.accept()
                connection.settimeout(CUT_OFF_S_MAX)
                came.append(len(came))
                open_.append(connection)
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection, over)

    threads.append(threading.Thread(target=serve))
    threads[0].start()
    try:
        yield f"{scheme}://127.0.0.1:{server.getsockname()[1]}", came
    finally:
        over.set()
        for still in open_:
            with suppress(OSError):  # whoever asked may keep it for another question
                still.shutdown(socket.SHUT_RDWR)
        for each in threads:
            each.join()
        server.close()


def question(connection: socket.socket) -> bytes:
    """The body of the next request, empty when there is none."""
    came = b""
    while piece := connection.recv(65_536):
        came += piece
        head, _, body = came.partition(b"\r\n\r\n")
        if body.endswith(b"}"):
            assert b"Content-Length: %d" % len(body) in head
            return body
    return b""


def told(request: bytes, *, status: str = "200 OK", step: int = 0, **answer: object) -> bytes:
    """An HTTP answer to one question, whose id it has, or one so many steps beside it."""
    asked = json.loads(request)
    body = json.dumps({"jsonrpc": "2.0", "id": asked["id"] + step, **answer}).encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def always(**answer: object) -> Talk:
    def talk(connection: socket.socket, _over: threading.Event) -> None:
        while request := question(connection):
            connection.sendall(told(request, **answer))  # type: ignore[arg-type] # by name

    return talk


def test_a_body_that_trickles_is_no_answer_though_it_could_be_one() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        whole = told(question(connection), result="0x7").replace(b"Content-Length: ", b"Content-Length: 9")
        connection.sendall(whole)
        while not over.wait(0.1):
            connection.sendall(b" ")

    with listening(talk) as (url, _), pytest.raises(ChainUnclear, match="no answer in time"):
        Chain(url, answer_s_max=0.5).chain_id()


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK\r\nConnection: close"])
def test_an_answer_without_a_length_ends_with_its_connection(head: bytes) -> None:
    def talk(connection: socket.socket, _over: threading.Event) -> None:
        _, _, body = told(question(connection), result="0x7").partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n" + body)

    with listening(talk) as (url, came):
        chain = Chain(url)
        assert [chain.chain_id() for _ in range(2)] == [7, 7]
        assert came == [0, 1]


def test_an_answer_without_a_length_that_never_ends_is_none() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        _, _, body = told(question(connection), result="0x7").partition(b"\r\n\r\n")
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        over.wait(CUT_OFF_S_MAX)

    with listening(talk) as (url, _), pytest.raises(ChainUnclear, match="no answer in time"):
        Chain(url, answer_s_max=0.5).chain_id()


@pytest.mark.parametrize("kept", [0, 20])
def test_an_answer_that_breaks_off_is_none(kept: int) -> None:
    def talk(connection: socket.socket, _over: threading.Event) -> None:
        head, end, body = told(question(connection), result="0x7").partition(b"\r\n\r\n")
        connection.sendall(head + end + body[:kept])

    with listening(talk) as (url, _), pytest.raises(ChainUnclear, match="breaks off"):
        Chain(url).chain_id()


def test_a_kept_connection_that_goes_silent_costs_one_time_and_no_second_question() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(told(question(connection), result="0x7"))
        over.wait(CUT_OFF_S_MAX)

    with listening(talk) as (url, came):
        chain = Chain(url)
        assert chain.chain_id() == 7
        chain._answer_s_max = 0.5
        with pytest.raises(ChainUnclear, match="no answer in time"):
            chain.chain_id()
        assert came == [0]


def test_a_connection_that_was_closed_between_two_questions_is_opened_anew() -> None:
    def talk(connection: socket.socket, _over: threading.Event) -> None:
        connection.sendall(told(question(connection), result="0x7"))

    with listening(talk) as (url, came):
        chain = Chain(url)
        assert [chain.chain_id() for _ in range(3)] == [7, 7, 7]
        assert came == [0, 1, 2]


def test_an_answer_to_another_question_is_none_and_the_line_is_dropped() -> None:
    with listening(always(result="0x7", step=-1)) as (url, came):
        chain = Chain(url)
        for _ in range(2):
            with pytest.raises(ChainUnclear, match="another question"):
                chain.chain_id()
        assert came == [0, 1], "whatever else is on its way over the first belongs to nobody"


def test_an_answer_that_was_there_before_its_question_is_none() -> None:
    def talk(connection: socket.socket, _over: threading.Event) -> None:
        while request := question(connection):
            connection.sendall(told(request, result="0x7") + told(request, step=1, result="0x8"))

    with listening(talk) as (url, came):
        chain = Chain(url)
        assert chain.chain_id() == 7
        with pytest.raises(ChainUnclear, match="breaks off"):
            chain.chain_id()
        assert chain.chain_id() == 7
        assert came == [0, 1]


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        ("413 Too Large", {"error": {"code": -32614, "message": "limited to a 10,000 range"}}, NodeRefused),
        ("400 Bad Request", {"error": {"code": -32600, "message": "up to a 500 block range"}}, NodeRefused),
        ("400 Bad Request", {"result": "0x7"}, ChainUnclear),
        ("429 Too Many", {"error": {"code": -32005, "message": "slow down"}}, ChainUnclear),
        ("502 Bad Gateway", {"error": {"code": 1, "message": "no"}}, ChainUnclear),
        ("307 Elsewhere", {"result": "0x7"}, ChainUnclear),
    ],
)
def test_a_status_is_an_answer_only_where_providers_refuse_by_it(
    status: str, answer: dict[str, object], error: type[Exception]
) -> None:
    with listening(always(status=status, **answer)) as (url, _), pytest.raises(error) as caught:
        Chain(url).chain_id()
    assert type(caught.value) is error
    assert error is NodeRefused or status[:3] in str(caught.value)


def test_a_null_error_beside_a_result_is_no_refusal() -> None:
    with listening(always(result="0x7", error=None)) as (url, _):
        assert Chain(url).chain_id() == 7


def test_whose_time_is_used_up_is_asked_nothing_more() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        question(connection)
        over.wait(CUT_OFF_S_MAX)

    with listening(talk) as (url, came):
        chain, said = Chain(url, answer_s_max=0.4, patience_s=0.6), list[str]()
        for _ in range(5):
            with pytest.raises(ChainUnclear) as caught:
                chain.chain_id()
            said.append(str(caught.value).partition(": ")[2])
        asked = said.index(NOT_ASKED)
        assert asked in {1, 2}, "the first may take all of the time, the second has what it leaves"
        assert said == ["no answer in time"] * asked + [NOT_ASKED] * (5 - asked)
        assert len(came) <= asked


def certificate(name: str, *, ends: timedelta) -> tuple[bytes, bytes]:
    """A self-signed one for a name or an address, and its key, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a node of the tests")])
    with suppress(ValueError):
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
        return _signed(key, subject, alternative, now, ends)
    return _signed(key, subject, x509.DNSName(name), now, ends)


def _signed(
    key: ec.EllipticCurvePrivateKey, subject: x509.Name, name: x509.GeneralName, now: datetime, ends: timedelta
) -> tuple[bytes, bytes]:
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        made.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


CERTIFICATES = {
    "good": ("127.0.0.1", timedelta(days=9), "cert", ""),
    "unknown": ("127.0.0.1", timedelta(days=9), "other", "self-signed"),
    "expired": ("127.0.0.1", timedelta(days=-1), "cert", "expired"),
    "another's": ("node.example", timedelta(days=9), "cert", "IP address mismatch"),
}


@pytest.mark.parametrize("which", CERTIFICATES)
def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    name, ends, trusted, says = CERTIFICATES[which]
    for file, pem in zip(("cert", "key"), certificate(name, ends=ends), strict=True):
        (tmp_path / file).write_bytes(pem)
    (tmp_path / "other").write_bytes(certificate("other.example", ends=ends)[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / trusted))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def talk(connection: socket.socket, _over: threading.Event) -> None:
        with tls.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(told(question(secured), result="0x7"))

    with listening(talk, scheme="https") as (url, _):
        chain = Chain(url)
        if not says:
            assert [chain.chain_id() for _ in range(2)] == [7, 7], "the second over a connection of its own"
            return
        with pytest.raises(ChainUnclear, match=f"certificate is not believed: .*{says}"):
            chain.chain_id()


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}#more@node.example",
        f"http://user:{SECRET}\u2100@node.example",
        f"http://user:x@[{SECRET}]/",
        f"ftp://user:{SECRET}@node.example/{SECRET}",
        f"http://127.0.0.1:9/{SECRET}?key={SECRET}\x7f",
        f"http://user:{SECRET}@127.0.0.1:9/{SECRET}",
    ],
)
def test_no_address_that_is_wrong_tells_its_secrets(url: str) -> None:
    with pytest.raises(ChainUnclear) as caught:
        Chain(url, answer_s_max=1).chain_id()
    whole: list[BaseException | None] = [caught.value, caught.value.__cause__]
    assert SECRET not in "".join(map(repr, whole))
    assert caught.value.__suppress_context__


def test_addresses_are_taken_apart_and_shown() -> None:
    plain = place("https://us%40er:p%3Ass@[2001:db8::1]/v3/key?x=1")
    assert (plain.host, plain.port, plain.path, plain.named) == ("2001:db8::1", 443, "/v3/key?x=1", "us@er:p:ss")
    assert shown("https://user:pass@[2001:db8::1]:8545/key") == "https://[2001:db8::1]:8545"
    assert not leads_elsewhere("https://x@Node.example:443/key/", "https://node.example/key")
    assert leads_elsewhere("https://node.example/key", "https://node.example/other")
