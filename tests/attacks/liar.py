"""A JSON-RPC node that asks an honest one and then answers as it likes."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS_MAX = 30.0


class Liar:
    """A server on loopback; `lie(method, result)` is what it says instead of an honest result."""

    def __init__(self, honest: str, lie: Callable[[str, Any], Any]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(honest, lie))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(honest: str, lie: Callable[[str, Any], Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = urllib.request.Request(honest, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as response:  # noqa: S310 - loopback
                told = json.loads(response.read())
            if "result" in told:
                told["result"] = lie(json.loads(body)["method"], told["result"])
            answer = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    return Handler
