"""A batch is published when every mirror holds all of it, and not before: mirrors that are down, forget or lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing

from settlement.mirrors import Mirror
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.web import WebMirror
from settlement.publish import NotOnEveryMirror, Package, fetch, header_path, publish, published_header
from tests.settlement.mirrors.servers import Shelf, web_server
from tests.settlement.test_publish import DATA_KEY
from tests.settlement.test_publish import package as packed
from tests.settlement.test_seal_ex1 import seal_example

PACKAGE = packed()


def package() -> Package:
    """The same one always: wrapped keys are drawn once and kept."""
    return PACKAGE


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with web_server() as shelf:
        yield shelf


@pytest.fixture
def mirrors(tmp_path: Path, shelf: Shelf) -> list[Mirror]:
    return [FolderMirror(tmp_path / "here"), WebMirror(shelf.address)]


def put(made: Package, mirrors: list[Mirror]) -> None:
    publish(made, seal_example().finish(made.data_hash), mirrors)


def headers(mirrors: list[Mirror]) -> list[bool]:
    return [mirror.read(header_path(1), bytes_max=10_000) is not None for mirror in mirrors]


@pytest.mark.parametrize("fault", ["down", "forgets", "spoils"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_bad_mirror_publishes_nothing_and_is_named(
    mirrors: list[Mirror], shelf: Shelf, fault: str, order: int
) -> None:
    setattr(shelf, fault, True)
    with structlog.testing.capture_logs() as logged, pytest.raises(NotOnEveryMirror) as caught:
        put(package(), mirrors[::order])
    assert [each.mirror for each in caught.value.failed] == [shelf.address]
    assert [(each["event"], each["mirror"]) for each in logged] == [("mirror", shelf.address)]
    setattr(shelf, fault, False)
    assert headers(mirrors) == [False, False], "no attester finds a header that not every mirror can serve"
    put(package(), mirrors)
    assert headers(mirrors) == [True, True]


def test_publishing_again_sends_nothing_again(mirrors: list[Mirror], shelf: Shelf) -> None:
    put(package(), mirrors)
    sent = shelf.puts
    put(package(), mirrors)
    assert shelf.puts == sent == len(package().blobs) + 2, "the header under its number and under its hash"


def test_a_header_that_does_not_stay_is_found(mirrors: list[Mirror], shelf: Shelf) -> None:
    put(package(), mirrors)
    del shelf.kept["/alliance/" + header_path(1)]
    shelf.forgets = True
    with pytest.raises(NotOnEveryMirror, match=r"headers/1\.json"):
        put(package(), mirrors)


def test_a_damaged_header_file_is_replaced(mirrors: list[Mirror]) -> None:
    mirrors[0].write(header_path(1), b"{}")
    put(package(), mirrors)
    assert [published_header(mirror, 1) for mirror in mirrors] == [seal_example().finish(package().data_hash)] * 2


def test_what_one_mirror_lacks_is_read_from_the_next(mirrors: list[Mirror], shelf: Shelf) -> None:
    put(package(), mirrors)
    header = seal_example().finish(package().data_hash)
    for lacking, having in ((0, 1), (1, 0)):
        for name in package().blobs:
            mirrors[lacking].erase(f"blobs/{name}")
            assert fetch(mirrors, header, data_key=DATA_KEY) == seal_example().file()
        put(package(), mirrors)
        assert fetch([mirrors[having]], header, data_key=DATA_KEY) == seal_example().file()
    shelf.down = True
    assert fetch(mirrors[::-1], header, data_key=DATA_KEY) == seal_example().file()
