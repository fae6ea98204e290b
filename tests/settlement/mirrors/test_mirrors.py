"""Three kinds of mirror keep the one promise: a folder, a real S3 server, an HTTP server that takes PUT."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from settlement.mirrors import Mirror, MirrorDown
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.s3 import S3Mirror
from settlement.mirrors.web import WebMirror
from tests.loopback import free_port
from tests.settlement.mirrors.servers import TOKEN, Shelf, s3_server, web_server

SECRET = "a-secret-that-nobody-may-see"
BUCKET = "alliance"


def bucket_on(endpoint: str, *, name: str = BUCKET, tries_max: int = 1) -> S3Mirror:
    return S3Mirror(
        name,
        region="us-east-1",
        access_key_id="operator",
        secret_access_key=SECRET,
        endpoint=endpoint,
        prefix="published",
        tries_max=tries_max,
    )


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as endpoint:
        assert httpx2.put(f"{endpoint}/{BUCKET}", trust_env=False).status_code == 200
        yield endpoint


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with web_server() as shelf:
        yield shelf


@pytest.fixture(params=["folder", "s3", "http"])
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Mirror:
    if request.param == "folder":
        return FolderMirror(tmp_path / "mirror")
    if request.param == "s3":
        return bucket_on(request.getfixturevalue("endpoint"))
    shelf: Shelf = request.getfixturevalue("shelf")
    shelf.guarded = True
    return WebMirror(shelf.address, token=TOKEN)


@pytest.mark.parametrize("size", [0, 1, 2**20 + 16])
def test_it_gives_back_what_it_was_given(mirror: Mirror, size: int) -> None:
    data = (sha256(b"%d" % size).digest() * (size // 32 + 1))[:size]
    path = f"blobs/{sha256(data).hexdigest()}"
    mirror.write(path, data)
    mirror.write(path, data)
    assert mirror.read(path, bytes_max=2**20 + 16) == data
    mirror.write(path, b"other" + data[:1])
    assert mirror.read(path, bytes_max=100) == b"other" + data[:1]
    mirror.erase(path)
    mirror.erase(path)
    assert mirror.read(path, bytes_max=100) is None


def test_no_more_is_read_than_asked_for(mirror: Mirror) -> None:
    mirror.write("blobs/long", bytes(10_000))
    assert mirror.read("blobs/long", bytes_max=10) == bytes(11)


def test_a_mirror_that_lets_a_file_trickle_is_down(shelf: Shelf) -> None:
    """Each byte comes in time: without a bound for the whole a publisher would wait as long as the mirror likes."""
    WebMirror(shelf.address).write("blobs/x", bytes(1_000))
    shelf.trickles = True
    with pytest.raises(MirrorDown, match="takes more than"):
        WebMirror(shelf.address, file_seconds_max=0.2).read("blobs/x", bytes_max=1_000)


def test_a_mirror_that_nobody_answers_for_is_down(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "file").write_bytes(b"no folder")
    for mirror in (FolderMirror(tmp_path / "file"), WebMirror(nowhere), bucket_on(nowhere)):
        with pytest.raises(MirrorDown) as reading:
            mirror.read("blobs/x", bytes_max=1)
        with pytest.raises(MirrorDown) as writing:
            mirror.write("blobs/x", b"x")
        assert {reading.value.mirror, writing.value.mirror} == {mirror.name}


def test_a_full_disk_is_a_mirror_that_is_down_and_keeps_nothing_half(tmp_path: Path) -> None:
    mirror, (soft, hard) = FolderMirror(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    mirror.write("blobs/x", b"as it was")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(MirrorDown):
            mirror.write("blobs/x", bytes(5_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "blobs").iterdir()] == [("x", b"as it was")]


def test_what_goes_wrong_tells_no_secret(endpoint: str, shelf: Shelf) -> None:
    shelf.down = True
    for mirror in (WebMirror(shelf.address, token=TOKEN), bucket_on(endpoint, name="nobodys-bucket")):
        with pytest.raises(MirrorDown) as caught:
            mirror.write("blobs/x", b"x")
        for told in (str(caught.value), repr(caught.value), repr(mirror), str(vars(mirror).get("_store"))):
            assert not any(word in told for word in (TOKEN, SECRET, "secret backend words", "operator"))
    with pytest.raises(MirrorDown, match="GET answered 503"):
        WebMirror(shelf.address).read("blobs/x", bytes_max=1)


def test_a_token_is_asked_for_and_goes_nowhere_else(shelf: Shelf) -> None:
    shelf.guarded = True
    with pytest.raises(MirrorDown, match="401"):
        WebMirror(shelf.address).read("blobs/x", bytes_max=1)
    for address in ("ftp://host/x", "http://name:word@host/x", "https://host/x?key=1", "nothing"):
        with pytest.raises(ValueError, match="address"):
            WebMirror(address)


def test_places_tell_what_fails_together(tmp_path: Path) -> None:
    assert FolderMirror(tmp_path / "a").place == FolderMirror(tmp_path / "b").place
    assert bucket_on("https://one.example").place != bucket_on("https://two.example").place
    assert bucket_on("https://one.example", name="one").place == bucket_on("https://one.example", name="two").place
    assert WebMirror("https://one.example/a").place == WebMirror("https://one.example/b").place
