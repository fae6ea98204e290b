"""Checks 5 and 19: who vouched for a batch, whether the window fits, and whether what was committed is what moved.

The contract checks attestations too; an auditor counts again, by the set and the parameters in force at that very log,
from the signatures in the transaction itself where they can be read. Called by `audit` for every commit on the chain.
Source: protocol §4.1, §4.3, §4.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from auditor.chain import Commit, Governance, OnChain
from auditor.findings import Findings
from proofs.messages import BatchHeader, signed_digest
from proofs.signature import SignatureError, recover

QUORUM_WEIGHT_MIN = 2


class Role(IntEnum):
    """What an attester is in the hub's set."""

    NONE = 0
    """Not in the set."""
    AUDITOR = 1
    """Works for nobody in the alliance."""
    MERCHANT_WATCHER = 2
    """Watches for a merchant."""


def check_attestations(commit: Commit, separator: bytes, findings: Findings) -> None:
    """Check 5 for one commit on the chain; genesis has no attesters and no window."""
    header, on_chain = commit.header, commit.on_chain
    if on_chain is None or commit.opens:
        return
    _check_signatures(header, commit.header_hash, on_chain, separator, findings)
    known = on_chain.governance.attesters
    for attester in on_chain.attesters:
        if known.get(attester, (Role.NONE, 0))[0] == Role.NONE:
            findings.add("attester-unknown", header.batch_no, "attesters", expected="one of the set", actual=attester)
    weight = sum(known.get(attester, (0, 0))[1] for attester in on_chain.attesters)
    if weight != on_chain.weight:
        findings.add("attester-weight", header.batch_no, "weight", expected=weight, actual=on_chain.weight)
    _check_window(commit, on_chain, weight, findings)


def check_config(commit: Commit, genesis_config: bytes, findings: Findings) -> None:
    """Check 5: a batch was sealed under the configuration of its commit, or the one before within its grace."""
    on_chain, header = commit.on_chain, commit.header
    config = None if on_chain is None else on_chain.governance.config
    if on_chain is None or config is None or commit.opens or header.config_hash == config.current:
        return
    graced = on_chain.block_time <= config.previous_until
    if not graced or header.config_hash != (config.previous or genesis_config):
        wanted = config.current.hex() + (" or the one before" if graced else "")
        findings.add("config-unknown", header.batch_no, "header.configHash", expected=wanted, actual=header.config_hash)


def check_settled(commit: Commit, findings: Findings) -> None:
    """Check 19, as far as logs tell: each net that a final batch moved is the one committed."""
    on_chain = commit.on_chain
    if on_chain is None or not on_chain.final:
        return
    committed, moved = dict(commit.nets or ()), {merchant: net for merchant, (net, _) in on_chain.settled.items()}
    for merchant in sorted(committed.keys() | moved.keys()):
        expected, actual = committed.get(merchant, 0), moved.get(merchant, 0)
        if expected != actual:
            place = f"NetSettled of merchant {merchant}"
            findings.add("settled-differs", commit.header.batch_no, place, expected=expected, actual=actual)


def is_quorum(attesters: Iterable[bytes], governance: Governance, *, moving: bool) -> bool:
    """Whether these attesters shorten the window: enough weight, an auditor and a merchant's watcher among them.

    In a batch that moves money whoever administers a merchant counts as a watcher only, whatever its role.
    """
    interested = governance.admins if moving else frozenset()
    members = {each: governance.attesters[each] for each in attesters if each in governance.attesters}
    auditors = {each for each, (role, _) in members.items() if role == Role.AUDITOR and each not in interested}
    weight = sum(weight for _, weight in members.values())
    return bool(auditors) and len(auditors) < len(members) and weight >= quorum_weight(governance)


def quorum_weight(governance: Governance) -> int:
    """The weight a quorum takes: total + 1 - the weight that must be honest, never less than two."""
    total = sum(weight for _, weight in governance.attesters.values())
    return max(QUORUM_WEIGHT_MIN, total + 1 - governance.params.honest_weight)


def _check_signatures(
    header: BatchHeader, header_hash: bytes, on_chain: OnChain, separator: bytes, findings: Findings
) -> None:
    if list(on_chain.attesters) != sorted(set(on_chain.attesters)):
        findings.add("attesters-order", header.batch_no, "attesters", expected="strictly ascending", actual="not")
    if on_chain.signatures is None:
        return
    signers = tuple(_signer(signed_digest(separator, header_hash), r, vs) for r, vs in on_chain.signatures)
    if signers != on_chain.attesters:
        expected, actual = (" ".join(each.hex() for each in addresses) for addresses in (on_chain.attesters, signers))
        findings.add(
            "attestation-signature", header.batch_no, "signatures of the commit", expected=expected, actual=actual
        )


def _signer(digest: bytes, r: bytes, vs: bytes) -> bytes:
    try:
        return recover(digest, r, vs)
    except SignatureError:
        return bytes(20)


def _check_window(commit: Commit, on_chain: OnChain, weight: int, findings: Findings) -> None:
    params = on_chain.governance.params
    fast = is_quorum(on_chain.attesters, on_chain.governance, moving=bool(commit.nets))
    expected = on_chain.block_time + (params.fast_window_seconds if fast else params.slow_window_seconds)
    if on_chain.final_after != expected:
        place = f"finalAfter, weight {weight} of {quorum_weight(on_chain.governance)}"
        findings.add("window", commit.header.batch_no, place, expected=expected, actual=on_chain.final_after)
