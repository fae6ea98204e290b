"""What the chain says: every header committed, its nets, its attesters, and the registry by which leaves are judged.

`read` asks the nodes at one agreed block and replays the logs of hub, policy and registry in order. Nothing here
judges: headers out of order or hashes that do not fit are kept as they are, for `headers` and `attestations` to find.
Source: protocol §4.2, §4.3, check 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from auditor.logs import EVENTS, LogError, decode_values
from auditor.registry import NO_END, Key, Registry
from auditor.rpc import Nodes, RpcError, RpcRefused
from proofs.keccak import keccak256
from proofs.kinds import Terms
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES, WordError, uint_word

BLOCKS_PER_QUESTION_MAX = 10_000


class Params(NamedTuple):
    """The hub's parameters, in the order of its struct; seconds, weights and base units as their names say."""

    fast_window_seconds: int
    slow_window_seconds: int
    seal_lag_seconds_max: int
    withdraw_delay_seconds: int
    honest_weight: int
    operator_bond_min: int
    gross_cap_slow: int
    gross_cap_fast: int


@dataclass(frozen=True, slots=True)
class Governance:
    """The rules in force at one commit; `attesters` are address → (role, weight), `admins` those of all merchants."""

    params: Params
    attesters: dict[bytes, tuple[int, int]]
    admins: frozenset[bytes]


@dataclass(slots=True)
class OnChain:
    """Where and how a header was committed. `signatures` is None when they cannot be read from the transaction."""

    place: str
    stored_hash: bytes
    block_time: int
    final_after: int
    weight: int
    attesters: tuple[bytes, ...]
    signatures: tuple[tuple[bytes, bytes], ...] | None
    governance: Governance
    final: bool = False
    settled: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Commit:
    """One header, with the hash it was announced under. `on_chain` is None while it is only sealed (attester mode)."""

    header: BatchHeader
    header_hash: bytes
    nets: list[tuple[int, int]] | None = None
    on_chain: OnChain | None = None


@dataclass(slots=True)
class Chain:
    """All that was read at one block. `commits` are in log order, as announced."""

    chain_id: int
    hub: bytes
    registry_address: bytes
    code_hash: bytes
    block_no: int
    block_hash: bytes
    registry: Registry
    commits: list[Commit]
    receipt_signers: dict[bytes, int] = field(default_factory=dict)
    """Until when each key may sign receipts, in Unix seconds."""


class Log(NamedTuple):
    """One log in the shape in which nodes are compared."""

    block_no: int
    log_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: bytes


def read(nodes: Nodes, hub: bytes, *, tag: str = "finalized", from_block: int = 0) -> Chain:
    """The chain at block `tag` ("finalized" or "latest") as all nodes tell it.

    Raises `RpcsDisagree`, or `RpcError` when a node cannot answer or there is no hub.
    """
    chain_id = nodes.agreed(_number, "eth_chainId")
    block_no = min(number for number, *_ in nodes.each(_block, "eth_getBlockByNumber", tag, False))  # noqa: FBT003 - JSON
    _, block_hash, _ = nodes.agreed(_block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
    code = nodes.agreed(_bytes, "eth_getCode", _hex(hub), hex(block_no))
    if not code:
        raise RpcError(f"there is no contract at {_hex(hub)} in block {block_no}")
    registry, policy = (_call(nodes, hub, view, b"", block_no)[12:] for view in ("registry()", "policy()"))
    replay = _Replay(nodes, hub, block_no)
    for log in _logs(nodes, (hub, policy, registry), from_block, block_no):
        replay.take(log)
    return Chain(chain_id, hub, registry, keccak256(code), block_no, block_hash, replay.registry, list(replay.commits))


class _Replay:
    """Logs in, in order; the state that they describe out. One method for each event, named after it."""

    def __init__(self, nodes: Nodes, hub: bytes, block_no: int) -> None:
        self._nodes, self._hub, self._block_no = nodes, hub, block_no
        self.registry = Registry()
        self.commits: list[Commit] = []
        self._params = Params(*[0] * len(Params._fields))
        self._attesters: dict[bytes, tuple[int, int]] = {}
        self._admins: dict[int, bytes] = {}
        self._newest: dict[int, Commit] = {}
        self._times: dict[int, int] = {}

    def take(self, log: Log) -> None:
        """One log; events that an audit does not read are passed over."""
        event = EVENTS.get(log.topics[0]) if log.topics else None
        if event is None:
            return
        try:
            values: Any = event.decode(log.topics, log.data)
            getattr(self, f"_{event.name}")(log, **values)
        except (LogError, WordError) as error:
            raise RpcError(f"log {log.log_index} of block {log.block_no}: {error}") from error
        except KeyError as error:
            told = (
                f"{event.name} of {error} in block {log.block_no} before it was there: were the first logs asked for?"
            )
            raise RpcError(told) from error

    def _BatchCommitted(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        header = BatchHeader.from_words(log.data[: BatchHeader.WORDS * WORD_BYTES])
        on_chain = OnChain(
            place=f"block {log.block_no}, log {log.log_index}",
            stored_hash=_call(self._nodes, self._hub, "headerHash(uint64)", uint_word(told["batchNo"]), self._block_no),
            block_time=self._time(log.block_no),
            final_after=told["finalAfter"],
            weight=told["weight"],
            attesters=told["attesters"],
            signatures=_signatures(self._nodes, log.tx_hash),
            governance=Governance(self._params, dict(self._attesters), frozenset(self._admins.values())),
        )
        commit = Commit(header, told["headerHash"], None, on_chain)
        self.commits.append(commit)
        self._newest[told["batchNo"]] = commit

    def _NetsCommitted(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._newest[told["batchNo"]].nets = [(merchant, amount) for merchant, amount in told["nets"]]

    def _BatchFinalised(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._on_chain(told["batchNo"]).final = True

    def _NetSettled(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._on_chain(told["batchNo"]).settled[told["merchantId"]] = (told["net"], told["shortfall"])

    def _ParamsChanged(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._params = Params(*told["params"])

    def _AttesterSet(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._attesters[told["attester"]] = (told["role"], told["weight"])

    def _MerchantSet(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self.registry.add_merchant(told["merchantId"])
        self._admins[told["merchantId"]] = told["admin"]

    def _StatusSet(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self.registry.set_status(told["merchantId"], told["status"], from_batch=told["fromBatch"])

    def _KeySet(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        lane = told["merchantId"], told["keyId"]
        self.registry.keys[lane] = Key(
            told["signer"], told["fromBatch"], NO_END, told["kindMask"], self._time(log.block_no)
        )

    def _KeyRevoked(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self.registry.keys[told["merchantId"], told["keyId"]].to_batch = told["toBatch"]

    def _TermsAdded(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        parties = told["termsId"], told["issuerId"], told["acceptorId"]
        self.registry.terms[told["termsId"]] = Terms(
            *parties, told["num"], told["den"], told["mode"], told["fromBatch"], NO_END
        )

    def _TermsEnded(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self.registry.end_terms(told["termsId"], to_batch=told["toBatch"])

    def _time(self, block_no: int) -> int:
        """When a block was made; many logs share one."""
        if block_no not in self._times:
            answer = self._nodes.agreed(_block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
            self._times[block_no] = answer[2]
        return self._times[block_no]

    def _on_chain(self, batch_no: int) -> OnChain:
        on_chain = self._newest[batch_no].on_chain
        assert on_chain is not None, "commits of a replay come from the chain"
        return on_chain


def _logs(nodes: Nodes, addresses: Sequence[bytes], first: int, last: int) -> Iterator[Log]:
    """All logs of the contracts in order, asked for in stretches that are halved where a node finds them too long."""
    stretch = BLOCKS_PER_QUESTION_MAX
    while first <= last:
        end = min(last, first + stretch - 1)
        question = {"address": [_hex(each) for each in addresses], "fromBlock": hex(first), "toBlock": hex(end)}
        try:
            yield from nodes.agreed(_log_list, "eth_getLogs", question)
        except RpcRefused:
            if stretch == 1:
                raise
            stretch //= 2
        else:
            first = end + 1


def _log_list(answer: Any) -> list[Log]:
    return sorted(
        Log(
            _number(log["blockNumber"]),
            _number(log["logIndex"]),
            _bytes(log["address"]),
            tuple(_bytes(topic) for topic in log["topics"]),
            _bytes(log["data"]),
            _bytes(log["transactionHash"]),
        )
        for log in answer
    )


def _call(nodes: Nodes, contract: bytes, signature: str, arguments: bytes, block_no: int) -> bytes:
    """One word that a view of the contract returns."""
    question = {"to": _hex(contract), "data": _hex(keccak256(signature.encode())[:4] + arguments)}
    answer = nodes.agreed(_bytes, "eth_call", question, hex(block_no))
    if len(answer) != WORD_BYTES:
        raise RpcError(f"{signature} of {_hex(contract)} answers {len(answer)} bytes, not one word: is it the hub?")
    return answer


_NETS, _SIGNATURES = "(uint32,int128)[]", "(bytes32,bytes32)[]"


def _signatures(nodes: Nodes, tx_hash: bytes) -> tuple[tuple[bytes, bytes], ...] | None:
    """The attestations in the transaction's own words; None where a contract in between hides the call."""
    data = nodes.agreed(lambda answer: _bytes(answer["input"]), "eth_getTransactionByHash", _hex(tx_hash))
    if data[:4] != COMMIT_SELECTOR:
        return None
    try:
        *_, signatures = decode_values([HEADER_TYPE, _NETS, _SIGNATURES], data[4:])
    except LogError:
        return None
    return tuple((r, vs) for r, vs in signatures)  # type: ignore[misc, union-attr] # the type says pairs of words


HEADER_TYPE = "(" + ",".join(part.split(" ")[0] for part in BatchHeader.TYPE[len("BatchHeader(") : -1].split(",")) + ")"
COMMIT_SELECTOR = keccak256(f"commitBatch({HEADER_TYPE},{_NETS},bytes32[2][])".encode())[:4]


def _number(text: Any) -> int:
    return int(text, 16)


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def _block(answer: Any) -> tuple[int, bytes, int]:
    """(number, hash, time) of a block."""
    if answer is None:
        raise RpcError("the node does not know the block it was asked for")
    return _number(answer["number"]), _bytes(answer["hash"]), _number(answer["timestamp"])
