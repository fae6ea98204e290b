"""What a node answers is held to the question."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from auditor.rpc import Node, RpcError, RpcRefused
from tests.loopback import Quiet, listening


def test_an_answer_to_another_question_is_none() -> None:
    answers: list[dict[str, object]] = [
        {"id": 1, "result": "0x1"},
        {"id": 1, "result": "0x1"},
        {"id": "3", "result": "0x1"},
        {"result": "0x1"},
        {"id": None, "error": {"code": -32700, "message": "no sense in it"}},
        {"id": 6, "result": "0x6"},
    ]

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.asked()
            self.answer(json.dumps({"jsonrpc": "2.0", **answers.pop(0)}).encode())

    with listening(Handler) as url, closing(Node(url)) as node:
        assert node.ask("eth_chainId") == "0x1"
        for _ in range(3):
            with pytest.raises(RpcError, match="eth_chainId: the answer is to another question"):
                node.ask("eth_chainId")
        with pytest.raises(RpcRefused, match="no sense in it"):
            node.ask("eth_chainId")
        assert node.ask("eth_chainId") == "0x6"
