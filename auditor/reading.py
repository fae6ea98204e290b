"""Reading the chain: one agreed block, the contracts behind the hub, their logs replayed, their balances asked.

Everything comes from nodes that must agree; the addresses come from the hub itself, and the anchor says whether they
are the right ones. Source: protocol §6 checks 1, 2, 19.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.chain import Chain
from auditor.lapsed import Final
from auditor.logs import EVENTS
from auditor.money import Holdings
from auditor.questions import block, call, call_words, logs, number
from auditor.replay import Replay
from auditor.rpc import Nodes, RpcError
from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from proofs.words import uint_word

PARTNERS = {
    "registry": "registry()",
    "policy": "policy()",
    "fund": "guaranteeFund()",
    "queue": "forcedQueue()",
    "asset": "asset()",
}
"""The contracts that the hub works with, and the view of the hub that names each."""


HUBS_BEFORE_MAX = 64
CARRIED_OVER = next(topic for topic, event in EVENTS.items() if event.name == "CarriedOver")


def read(nodes: Nodes, hub: bytes, *, tag: str = "finalized", from_block: int = 0) -> Chain:
    """The chain at block `tag` ("finalized" or "latest") as all nodes tell it.

    Raises `RpcsDisagree`, or `RpcError` when a node cannot answer or there is no hub.
    """
    chain_id = nodes.agreed(number, "eth_chainId")
    block_no = min(no for no, *_ in nodes.each(block, "eth_getBlockByNumber", tag, False))  # noqa: FBT003 - JSON
    _, block_hash, block_time = nodes.agreed(block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
    code_hash = _code_hash(nodes, hub, block_no)
    addresses = {name: call(nodes, hub, view, b"", block_no)[12:] for name, view in PARTNERS.items()}
    replay = Replay(nodes, hub, block_no)
    ours = {"hub": hub} | {name: address for name, address in addresses.items() if name != "asset"}
    for log in logs(nodes, tuple(ours.values()), from_block, block_no):
        replay.take(log)
    return Chain(
        chain_id,
        hub,
        addresses["registry"],
        code_hash,
        block_no,
        block_hash,
        replay.registry,
        list(replay.commits),
        block_time=block_time,
        receipt_signers=replay.receipt_signers,
        reverted=frozenset(replay.reverted),
        contracts={name: (address, _code_hash(nodes, address, block_no)) for name, address in addresses.items()},
        roles=replay.roles(ours),
        money=replay.money,
        holdings=_holdings(nodes, hub, addresses, sorted(replay.registry.statuses), block_no),
        queue=replay.queue,
        carried=replay.carried,
        winds_down_since=replay.winds_down_since,
    )


def read_through(
    nodes: Nodes, hub: bytes, *, tag: str, from_block: int = 0, elsewhere: Nodes | None = None, old_block: int = 0
) -> Chain:
    """The chain as `read` tells it, with the hubs that this one goes on after as far as they can be asked: on the same
    chain, or on the one of the nodes `elsewhere`. Their logs begin at `old_block`. Raises as `read` does.
    """
    newest = chain = read(nodes, hub, tag=tag, from_block=from_block)
    for _ in range(HUBS_BEFORE_MAX):
        old = chain.carried
        if old is None:
            break
        asked = nodes if old.chain_id == chain.chain_id else elsewhere
        if asked is None or asked.agreed(number, "eth_chainId") != old.chain_id:
            break
        chain.before = read(asked, old.hub, tag="finalized", from_block=old_block)
        if asked is nodes:
            chain.rivals = _rivals(nodes, chain, old_block)
        chain, nodes = chain.before, asked
    return newest


def _rivals(nodes: Nodes, chain: Chain, first: int) -> list[bytes]:
    """Whoever else on this chain says that it goes on after the header that this hub goes on after."""
    old = chain.carried
    assert old is not None, "asked for a hub that goes on"
    topics = [CARRIED_OVER, uint_word(old.chain_id), bytes(12) + old.hub, old.header_hash]
    return sorted({log.address for log in logs(nodes, (), first, chain.block_no, topics=topics)} - {chain.hub})


def finalised(nodes: Nodes, hub: bytes) -> Final:
    """The newest block that is final for all nodes. Raises as `read` does."""
    block_no = min(no for no, *_ in nodes.each(block, "eth_getBlockByNumber", "finalized", False))  # noqa: FBT003 - JSON
    _, _, time = nodes.agreed(block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
    return Final(time, lambda number: call(nodes, hub, "headerHash(uint64)", uint_word(number), block_no))


def _code_hash(nodes: Nodes, contract: bytes, block_no: int) -> bytes:
    code = nodes.agreed(hex_bytes, "eth_getCode", hex_text(contract), hex(block_no))
    if not code:
        raise RpcError(f"there is no contract at {hex_text(contract)} in block {block_no}")
    return keccak256(code)


def _holdings(
    nodes: Nodes, hub: bytes, addresses: Mapping[str, bytes], merchants: Iterable[int], block_no: int
) -> Holdings:
    """What hub and token say of the money at the block that is read."""
    balances = {}
    for merchant in merchants:
        free, locked = call_words(nodes, hub, "balanceOf(uint32)", uint_word(merchant), block_no)
        balances[merchant] = free + locked
    held, owed = call_words(nodes, hub, "solvency()", b"", block_no)
    (bond,) = call_words(nodes, hub, "operatorBond()", b"", block_no)
    (token,) = call_words(nodes, addresses["asset"], "balanceOf(address)", bytes(12) + hub, block_no)
    return Holdings(balances, bond, owed, min(held, token))
