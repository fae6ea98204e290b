"""The one client of every chain: embedded, anvil, Hardhat or a real network, each behind one JSON-RPC address.

Invariants: no answer is believed beyond its type (a malformed one is `ChainUnclear`); a send whose outcome is unknown
counts as sent, for the bytes may be on their way; what nodes say in a dozen wordings comes out as one `SendCase`;
nothing is retried here, the caller decides. No clock but for how long answers may take, no keys, no SQL. Called by the
submitter, deployment, orchestration and the watcher.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Any, Literal

from settlement.chain.answers import (
    ChainError,
    ChainUnclear,
    Head,
    Log,
    NodeRefused,
    NoSuchMethod,
    Receipt,
    Reverted,
    count_of,
    data_of,
    head_of,
    log_of,
    parsed,
    quantity_of,
    receipt_of,
    refusal_of,
    shaped,
    word_of,
)
from settlement.chain.gas import Fees, offer
from settlement.chain.send_cases import SendCase, send_case
from settlement.posting import NOT_POSTED, OK, Line, Unusable, shown, why

__all__ = [
    "Chain",
    "ChainError",
    "ChainUnclear",
    "Fees",
    "Head",
    "Log",
    "NoSuchMethod",
    "NodeRefused",
    "Receipt",
    "Reverted",
    "SendCase",
    "Sent",
    "Tag",
]

ANSWER_S_MAX = 20.0
ANSWER_BYTES_MAX = 64 * 2**20
LOG_QUESTIONS_MAX = 4_096
"""Into so many stretches of blocks one question for logs is cut at most."""
DEFAULT_TIP_WEI = 10**9
WITHOUT_TRANSACTIONS = False
REFUSING = frozenset({400, 413})
"""HTTP's status under which providers answer with a JSON-RPC error, to a question about too many blocks above all."""

Tag = Literal["latest", "safe", "finalized", "pending", "earliest"] | int


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one send: the case and the node's own words."""

    case: SendCase
    message: str


class Chain:
    """One node at one address, over one connection: use one per thread.

    `confirmations` is for networks without the `finalized` tag: a block counts as final when this many follow it.
    `patience_s` is for all answers together; when it is over nothing more is asked.
    """

    def __init__(
        self,
        url: str,
        *,
        answer_s_max: float = ANSWER_S_MAX,
        confirmations: int | None = None,
        log_questions_max: int = LOG_QUESTIONS_MAX,
        patience_s: float | None = None,
    ) -> None:
        self.url, self.place = url, shown(url)
        self._confirmations = confirmations
        self._log_questions_max, self._stretch = log_questions_max, 0
        self._answer_s_max, self._patience_s = answer_s_max, patience_s
        self._line = Line(url)
        self._ids = count(1)

    def chain_id(self) -> int:
        return quantity_of(self._ask("eth_chainId"))

    def genesis_hash(self) -> bytes:
        """Hash of block 0: another one is another chain, whatever its id says."""
        return word_of(self._block(0).get("hash"))

    def head(self, tag: Tag = "latest") -> Head:
        """The block at a tag or height. Raises `ChainUnclear` when the node has none."""
        head: Head = shaped(head_of, self._block(tag))
        if isinstance(tag, int) and head.number != tag:
            raise ChainUnclear(f"{self.place} answers with block {head.number} for block {tag}")
        return head

    def now(self) -> int:
        """Unix seconds by the chain's own clock: what the next block would say."""
        return self.head("pending").timestamp

    def nonce(self, address: bytes, tag: Tag = "latest") -> int:
        """Number of transactions `address` has in blocks up to `tag` ("pending": and in the pool)."""
        return count_of(self._ask("eth_getTransactionCount", _hex(address), self._tag(tag)))

    def balance(self, address: bytes) -> int:
        """Wei of `address` now."""
        return quantity_of(self._ask("eth_getBalance", _hex(address), "latest"))

    def code(self, address: bytes, tag: Tag = "latest") -> bytes:
        """Runtime code at `address`; empty where there is no contract."""
        return data_of(self._ask("eth_getCode", _hex(address), self._tag(tag)))

    def call(
        self, to: bytes | None, data: bytes, *, sender: bytes | None = None, gas: int | None = None, tag: Tag = "latest"
    ) -> bytes:
        """Execute without sending.

        Raises `Reverted` with the contract's error, `NodeRefused` when it runs out of gas.
        """
        asked: dict[str, str] = {"data": _hex(data)}
        if to is not None:
            asked["to"] = _hex(to)
        if sender is not None:
            asked["from"] = _hex(sender)
        if gas is not None:
            asked["gas"] = hex(gas)
        return data_of(self._ask("eth_call", asked, self._tag(tag)))

    def send(self, raw: bytes) -> Sent:
        """Hand a signed transaction over, once. Never raises for what a node may say: the case tells."""
        try:
            self._ask("eth_sendRawTransaction", _hex(raw))
        except ChainUnclear as error:
            return Sent(SendCase.UNCLEAR, str(error))
        except NodeRefused as error:
            return Sent(send_case(error.message), error.message)
        return Sent(SendCase.ACCEPTED, "")

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction, None while it is in no block."""
        found = self._ask("eth_getTransactionReceipt", _hex(tx_hash))
        return None if found is None else shaped(receipt_of, found)

    def logs(
        self, address: bytes, *, first: int, last: Tag = "latest", topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Events of one contract from block `first` to `last`, in chain order; None in `topics` matches anything.

        Nodes limit how many blocks or logs they answer for at once, each in its own words: what is refused is asked
        in halves, and how far a node goes is remembered. Raises `NodeRefused` for what it refuses of a single block.
        """
        asked = {"address": _hex(address), "topics": [None if topic is None else _hex(topic) for topic in topics]}
        if not self._stretch:
            try:
                return self._logs(asked, hex(first), self._tag(last))
            except (NoSuchMethod, Reverted):
                raise
            except NodeRefused:
                if (end := self.head(last).number) <= first:
                    raise
                self._stretch = (end - first + 2) // 2
        return self._stitched(asked, first, self.head(last).number)

    def _stitched(self, asked: Mapping[str, Any], first: int, last: int) -> list[Log]:
        """Stretch by stretch, each as long as the node was seen to answer for."""
        found: list[Log] = []
        for _ in range(self._log_questions_max):
            if first > last:
                return found
            end = min(last, first + self._stretch - 1)
            try:
                found += self._logs(asked, hex(first), hex(end))
            except NodeRefused:
                if end == first:
                    raise
                self._stretch = (end - first + 1) // 2
            else:
                first = end + 1
        raise ChainUnclear(f"{self.place} answers for {self._stretch} blocks at once: too few for a chain this long")

    def _logs(self, asked: Mapping[str, Any], first: str, last: str) -> list[Log]:
        answer = self._ask("eth_getLogs", {**asked, "fromBlock": first, "toBlock": last})
        found: list[Log] = [shaped(log_of, each) for each in shaped(list, answer)]
        if any(not _is_asked(log, asked) for log in found):  # anybody may emit what looks like ours
            raise ChainUnclear(f"{self.place} answers with logs that were not asked for")
        return found

    def fees(self) -> Fees:
        """An offer that holds for some full blocks: twice the base fee and the node's own idea of a tip."""
        try:
            tip = quantity_of(self._ask("eth_maxPriorityFeePerGas"))
        except NodeRefused:
            tip = DEFAULT_TIP_WEI
        return offer(base_fee_wei=self.head().base_fee_wei, tip_wei=tip)

    def advance_time(self, seconds: int) -> None:
        """Let `seconds` pass on a development chain and mine a block.

        Raises `NoSuchMethod` where time cannot be moved.
        """
        self._ask("evm_increaseTime", seconds)
        self._ask("evm_mine")

    def _tag(self, tag: Tag) -> str:
        """A tag or height as the node takes it; "finalized" by depth where the node has no such thing."""
        if tag == "finalized" and self._confirmations is not None:
            newest = count_of(self._ask("eth_blockNumber"))
            return hex(max(0, newest - self._confirmations))
        return hex(tag) if isinstance(tag, int) else tag

    def _block(self, tag: Tag) -> Mapping[str, Any]:
        found = self._ask("eth_getBlockByNumber", self._tag(tag), WITHOUT_TRANSACTIONS)
        if not isinstance(found, Mapping):
            raise ChainUnclear(f"{self.place} has no block {tag}")
        return found

    def _ask(self, method: str, *params: Any) -> Any:
        number = next(self._ids)
        asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        try:
            answer = self._answered(json.dumps(asked).encode())
            if answer.get("id") != number and not (answer.get("id") is None and "error" in answer):
                self._line.close()  # whatever else comes over it belongs to some other question as well
                raise Unusable("the answer to another question")
        except NOT_POSTED as error:
            raise ChainUnclear(f"{method} at {self.place}: {why(error)}") from None
        if answer.get("error") is not None:
            raise refusal_of(answer["error"])
        if "result" not in answer:
            raise ChainUnclear(f"{method} at {self.place}: not a JSON-RPC answer")
        return answer["result"]

    def _answered(self, body: bytes) -> Mapping[str, Any]:
        """A JSON-RPC answer. Raises `NOT_POSTED`."""
        began, seconds_max = monotonic(), self._answer_s_max
        if self._patience_s is not None:
            if self._patience_s <= 0:
                raise Unusable("not asked again so soon: it took too long")
            seconds_max = min(seconds_max, self._patience_s)
        try:
            status, told = self._line.post(body, seconds_max=seconds_max, bytes_max=ANSWER_BYTES_MAX)
        finally:
            if self._patience_s is not None:
                self._patience_s -= monotonic() - began
        if status != OK and status not in REFUSING:
            raise Unusable(f"answered {status}")
        try:
            answer = parsed(told)
        except ValueError:
            raise Unusable("not a JSON-RPC answer" if status == OK else f"answered {status}") from None
        if not isinstance(answer, Mapping) or (status != OK and answer.get("error") is None):
            raise Unusable("not a JSON-RPC answer" if status == OK else f"answered {status}")
        return answer


def _is_asked(log: Log, asked: Mapping[str, Any]) -> bool:
    """Whether a log is of the contract and has the topics that were asked for."""
    wanted = asked["topics"]
    return (
        _hex(log.address) == asked["address"]
        and len(log.topics) >= len(wanted)
        and all(topic in {None, _hex(there)} for topic, there in zip(wanted, log.topics, strict=False))
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
