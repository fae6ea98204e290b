"""The chain of batch headers: genesis, nets, configuration and the history tree.

headerHash_n = hashStruct(header_n) and header_{n+1}.prevHeaderHash = headerHash_n; genesis is bound to chain and hub.
The history tree is the one place with SHA-256: its root is an ordinary RFC 6962 root over header hashes, so that
standard witness tools can cosign it. Source: docs/protocol §3.2-§3.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from proofs.keccak import keccak256
from proofs.messages import BatchHeader
from proofs.words import ZERO_WORD, int_word, uint_word

SEAL_LAG_SECONDS_BOUND = 24 * 3_600
"""No policy admits a longer time from sealing to commit (AlliancePolicy); after it a header can never be committed."""

Nets = Sequence[tuple[int, int]]
"""(merchantId, base units received) in strictly ascending id, no zero, summing to zero."""


def genesis_anchor(*, chain_id: int, hub: bytes) -> bytes:
    """PrevHeaderHash of header 0: keccak256(abi.encode(keccak256("LPA-GENESIS"), chainId, hub))."""
    return keccak256(keccak256(b"LPA-GENESIS") + uint_word(chain_id) + bytes(12) + hub)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The last header of the hub that another one goes on after: on which chain, in which hub, its hash."""

    chain_id: int
    hub: bytes
    header_hash: bytes


def carried_anchor(before: Predecessor, *, chain_id: int, hub: bytes) -> bytes:
    """PrevHeaderHash of the first header of a hub that goes on after another one's last.

    Keccak256(abi.encode(keccak256("LPA-CARRIED"), chainId, hub, oldChainId, oldHub, oldHeaderHash)).
    """
    new, old = uint_word(chain_id) + bytes(12) + hub, uint_word(before.chain_id) + bytes(12) + before.hub
    return keccak256(keccak256(b"LPA-CARRIED") + new + old + before.header_hash)


def nets_from(balances: Mapping[int, int], since: Mapping[int, int]) -> list[tuple[int, int]]:
    """The nets of one settling batch.

    Cash balances by merchantId now, minus those at the last settling batch (absent = 0).
    """
    changes = (
        (merchant, balances.get(merchant, 0) - since.get(merchant, 0))
        for merchant in sorted(set(balances) | set(since))
    )
    return [(merchant, amount) for merchant, amount in changes if amount]


def nets_hash(nets: Nets, *, settling: bool) -> bytes:
    """keccak256(abi.encode(Net[])), or the zero word for a log batch."""
    if not settling:
        return ZERO_WORD
    body = b"".join(uint_word(merchant) + int_word(amount) for merchant, amount in nets)
    return keccak256(uint_word(32) + uint_word(len(nets)) + body)


def config_hash(*, rules_version: int, attester_set_version: int, params_version: int) -> bytes:
    """What the sealer believed the contracts' configuration to be."""
    return keccak256(uint_word(rules_version) + uint_word(attester_set_version) + uint_word(params_version))


def journal_link(head: bytes, transaction: bytes) -> bytes:
    """The next head of the private journal's hash chain.

    Keccak256(0x02 ‖ head ‖ keccak256(canonical transaction bytes)).
    """
    return keccak256(b"\x02" + head + keccak256(transaction))


def history_root(header_hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 root (SHA-256) over header hashes 0 … n-1; SHA-256 of nothing for n = 0."""
    if not header_hashes:
        return sha256(b"").digest()
    level = [sha256(b"\x00" + item).digest() for item in header_hashes]
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        level = pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
    return level[0]


def genesis_header(
    *,
    chain_id: int,
    hub: bytes,
    accounts_count: int,
    accounts_root: bytes,
    founded_at: int,
    config_hash: bytes,
    data_hash: bytes,
) -> BatchHeader:
    """Header 0: no leaf, zero rows of the founding accounts, bound to chain and hub."""
    return BatchHeader(
        batch_no=0,
        prev_header_hash=genesis_anchor(chain_id=chain_id, hub=hub),
        first_leaf_no=1,
        leaf_count=0,
        leaves_root=ZERO_WORD,
        accounts_count=accounts_count,
        accounts_root=accounts_root,
        history_root=history_root(()),
        journal_head=ZERO_WORD,
        total_points=0,
        nets_hash=ZERO_WORD,
        nets_since_batch=0,
        data_hash=data_hash,
        blob_hash=ZERO_WORD,
        opened_at=founded_at,
        sealed_at=founded_at,
        config_hash=config_hash,
    )


def settled_by(header: BatchHeader) -> int:
    """The last settling batch when this header was made: its own, or the one that it names."""
    return header.nets_since_batch if header.nets_hash == ZERO_WORD else header.batch_no


def carried_header(
    first: BatchHeader, before: Predecessor, last: BatchHeader, *, chain_id: int, hub: bytes
) -> BatchHeader:
    """`first`, a hub's header 0 over the rows that `last` left, as the header of a hub that goes on after `last`, the
    last one of the hub before: its points and journal, numbers that go on, a history of its own. Nets are counted from
    what settled last.
    """
    return replace(
        first,
        batch_no=last.batch_no + 1,
        prev_header_hash=carried_anchor(before, chain_id=chain_id, hub=hub),
        first_leaf_no=last.first_leaf_no + last.leaf_count,
        total_points=last.total_points,
        journal_head=last.journal_head,
        nets_since_batch=settled_by(last),
    )
