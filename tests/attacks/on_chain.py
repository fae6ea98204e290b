"""The honest alliance on a real chain: contracts deployed, batches attested, committed and finalised.

Everything here speaks JSON-RPC to a node; the attestations come from `python -m auditor attest`, run as three attesters
would run it. Used by the end-to-end tests of the auditor.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import rlp
from coincurve import PrivateKey
from eth_account import Account
from web3 import Web3

from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.keccak import keccak256
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Name, deployment_data
from settlement.deploy import NOTHING_CARRIED
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Recipient, publish
from tests.attacks.alliance import CONFIG_HASH, FOUNDED_AT, Batch, Place, history, keystore, rules
from tests.attacks.forge import ATTESTERS, KID, PRIVATE, address

ADMIN = Account.from_key(b"\x01" * 32)
ADMIN_ADDRESS = bytes.fromhex(ADMIN.address[2:])
OTHER_PARTIES = (OPERATOR_ID, RESERVE_ID)
DAY = 86_400
UNIT = 10**6
PARAMS = (21_600, 604_800, 21_600, 604_800, 3, 50_000 * UNIT, 100_000 * UNIT, 2_000_000 * UNIT)
GAS = 12_000_000


@dataclass
class Settled:
    """An alliance on a chain: the node's address, the hub, and the folder with all that is published and all keys."""

    url: str
    hub: bytes
    folder: Path
    batches: list[Batch]
    contract: Contract
    chain: Chain

    @property
    def published(self) -> Path:
        return self.folder / "published"

    def auditor(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run the auditor as a process of its own that knows address, hub, folder and key, and nothing else."""
        words = self._words(command, *arguments)
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)

    def starting(self, command: str, *arguments: object) -> subprocess.Popen[str]:
        """The same, not waited for."""
        words = self._words(command, *arguments)
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _words(self, command: str, *arguments: object) -> list[str]:
        fixed = ["--rpc", self.url, "--hub", f"0x{self.hub.hex()}", "--keys", self.folder / "auditor.key"]
        return [str(word) for word in (sys.executable, "-m", "auditor", command, *fixed, *arguments)]

    def attest(self) -> list[list[dict[str, Any]]]:
        """What each attester signs of all that is sealed."""
        signed = []
        for number, _ in enumerate(ATTESTERS):
            where = self.folder / f"attester-{number}"
            out = where.with_suffix(".json")
            files = ["--signer", where.with_suffix(".key"), "--state", where.with_suffix(".state"), "--out", out]
            run = self.auditor("attest", "--data", self.published, *files)
            assert run.returncode == 0, run.stderr
            signed.append(json.loads(out.read_text())["attestations"])
        return signed

    def commit(self, batch_no: int, attestations: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Commit one batch with what the attesters signed for it, wait out the fast window, finalise."""
        batch = self.batches[batch_no]
        self.chain.advance_time(max(0, batch.header.sealed_at - self.chain.now()))
        chosen = [(entry["r"], entry["vs"]) for _, entry in _of(batch_no, attestations)]
        signatures = [[bytes.fromhex(word[2:]) for word in pair] for pair in chosen]
        nets = list(batch.sealed.nets)
        send(self.chain, self.hub, self.contract.data("commitBatch", batch.header, nets, signatures))

    def finalise(self, batch_no: int) -> None:
        """Wait out the fast window and finalise."""
        batch = self.batches[batch_no]
        self.chain.advance_time(PARAMS[0])
        send(self.chain, self.hub, self.contract.data("finaliseBatch", batch.header, list(batch.sealed.nets)))


def _of(batch_no: int, attestations: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[bytes, dict[str, Any]]]:
    """The attestations of one batch, ascending by attester."""
    by_key = zip(ATTESTERS, attestations, strict=True)
    found = [(address(key), entry) for key, given in by_key for entry in given if entry["batchNo"] == batch_no]
    return sorted(found, key=lambda pair: pair[0])


def settle(url: str, folder: Path, *, collateral: int = 1_000 * UNIT, bond: int = 50_000 * UNIT) -> Settled:
    """Deploy with a bond and the same collateral for each merchant, and publish the whole history; nothing but genesis
    is on the chain yet.
    """
    chain = Chain(url)
    chain.advance_time(FOUNDED_AT - chain.now())
    token = create(chain, "TestToken")
    registry = create(chain, "MerchantRegistry", ADMIN.address)
    register(chain, registry)
    attesters = [(address(key), 1 + place % 2, 1) for place, key in enumerate(ATTESTERS)]
    params = (*PARAMS[:5], min(bond, PARAMS[5]), *PARAMS[6:])
    policy = create(chain, "AlliancePolicy", registry.address, ADMIN.address, params, attesters, CONFIG_HASH)
    partners = create(chain, "GuaranteeFund", registry.address), create(chain, "ForcedQueue", policy.address)
    hub = keccak256(rlp.encode([ADMIN_ADDRESS, chain.nonce(ADMIN_ADDRESS)]))[12:]
    recipient = Recipient(KID, PRIVATE.public_key().public_bytes_raw())
    batches = history(recipient, Place(chain.chain_id(), hub))
    zero = batches[0].header
    fresh = zero.accounts_count, zero.accounts_root, zero.data_hash, zero.opened_at, zero.config_hash
    genesis = (*fresh, NOTHING_CARRIED)
    addresses = [each.address for each in (token, policy, *partners)]
    contract = create(chain, "SettlementHub", *addresses, ADMIN.address, genesis)
    assert contract.address == hub
    send(chain, registry.address, registry.data("bindHub", hub))
    fund(chain, token, contract, collateral, bond)
    write_keys(folder)
    for batch in batches:
        publish(batch.package, batch.header, [FolderMirror(folder / "published")])
    return Settled(url, hub, folder, batches, contract, chain)


def register(chain: Chain, registry: Contract) -> None:
    """Merchants, lanes and terms; one account administers all of them."""
    lanes = list(keystore().roster)
    merchants = sorted({lane.merchant_id for lane in lanes} | {RESERVE_ID})
    people = [(merchant, ADMIN.address, ADMIN.address) for merchant in merchants]
    keys = [(lane.merchant_id, lane.key_id, lane.address, lane.kind_mask) for lane in lanes]
    terms = [(each.issuer_id, 0, each.num, each.den, each.mode) for each in rules().terms.values()]
    send(chain, registry.address, registry.data("addMerchants", people))
    send(chain, registry.address, registry.data("addKeys", keys))
    send(chain, registry.address, registry.data("addTerms", terms))


def fund(chain: Chain, token: Contract, hub: Contract, collateral: int, bond: int) -> None:
    """The operator's bond, and collateral for the merchants."""
    send(chain, token.address, token.data("mint", ADMIN.address, 1_000_000 * UNIT))
    send(chain, token.address, token.data("approve", hub.address, 1_000_000 * UNIT))
    send(chain, hub.address, hub.data("postBond", bond))
    for merchant in (1, 2, 3):
        send(chain, hub.address, hub.data("deposit", merchant, collateral))


def write_keys(folder: Path) -> None:
    """The auditor's key and the attesters', as files only their owner reads."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = PRIVATE.private_bytes_raw().hex()
    private_file(folder / "auditor.key", json.dumps({"kid": KID, "x25519": secret, "note": "test"}))
    for number, key in enumerate(ATTESTERS):
        private_file(folder / f"attester-{number}.key", "0x" + key.to_hex() + "\n")
    private_file(folder / "stranger.key", PrivateKey(sha256(b"stranger").digest()).to_hex())


def private_file(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def create(chain: Chain, name: Name, *arguments: Any) -> Contract:
    return Contract(chain, name, send(chain, None, deployment_data(name, *arguments)))


def send(chain: Chain, to: bytes | None, data: bytes) -> bytes:
    """One transaction of the admin, mined and not reverted; the address of what it created, if it did."""
    fees = chain.fees()
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": chain.chain_id(),
        "nonce": chain.nonce(ADMIN_ADDRESS),
        "gas": GAS,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
        "value": 0,
        "data": data,
    }
    if to is not None:
        fields["to"] = Web3.to_checksum_address(to)
    made = ADMIN.sign_transaction(fields)
    said = chain.send(bytes(made.raw_transaction))
    receipt = chain.receipt(bytes(made.hash))
    assert receipt is not None, said
    assert receipt.succeeded, said
    return receipt.contract or b""
