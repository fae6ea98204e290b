"""A mirror that is a bucket of anything that speaks S3.

The client is `obstore` (the object store of the Arrow project): one wheel without dependencies, where the vendor's own
library is six times its size. Invariants: only the given credentials are used, never those that lie about on the
machine; time and tries are bounded; of an error only its kind and status are told, because the answer's text quotes
what was signed. Made by settings and tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from settlement.mirrors import MirrorDown

TIMEOUT_SECONDS: Final = 60
CONNECT_SECONDS: Final = 10
TRIES_MAX: Final = 3
RETRY_SECONDS_MAX: Final = 30
_STATUS: Final = re.compile(r"status code: (\d{3})")


class S3Mirror:
    """`bucket`, below `prefix` if there is one. Without `endpoint` it is the vendor's own in `region`."""

    def __init__(
        self,
        bucket: str,
        *,
        region: str,
        access_key_id: str,
        secret_access_key: str,
        endpoint: str | None = None,
        prefix: str = "",
        tries_max: int = TRIES_MAX,
    ) -> None:
        host = urlsplit(endpoint).netloc if endpoint else f"s3.{region}.amazonaws.com"
        self._name, self._place = f"s3://{host}/{bucket}" + (f"/{prefix}" if prefix else ""), host
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config={
                "region": region,
                "access_key_id": access_key_id,
                "secret_access_key": secret_access_key,
                "virtual_hosted_style_request": False,
                **({"endpoint": endpoint} if endpoint else {}),
            },
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "timeout": timedelta(seconds=TIMEOUT_SECONDS),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            },
            retry_config={
                "max_retries": tries_max - 1,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def place(self) -> str:
        return self._place

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        taken = bytearray()
        with self._said():
            try:
                for piece in obstore.get(self._store, path):
                    taken += piece
                    if len(taken) > bytes_max:
                        break
            except FileNotFoundError:
                return None
        return bytes(taken[: bytes_max + 1])

    def write(self, path: str, data: bytes) -> None:
        with self._said():
            obstore.put(self._store, path, data, use_multipart=False)

    def erase(self, path: str) -> None:
        with self._said():
            obstore.delete(self._store, path)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """The library's errors in our words; an address that is no address is one of them."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            status = _STATUS.search(str(error))
            told = f"{type(error).__name__}{f' {status[1]}' if status else ''}"
            raise MirrorDown(self.name, told) from None
