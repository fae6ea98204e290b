"""A one-node Prague chain over one file: every accepted transaction is its own block, final at once.

Invariants: a transaction that would be refused (nonce, funds, fee, gas) changes nothing and says why in the words
real nodes use; one that reverts is mined with status 0, as on any chain; time never runs backwards; the genesis
carries a random mark, so two chains never share a genesis hash. Not thread-safe: `server` calls it under one lock.
The clock is handed in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.exceptions import HeaderNotFound, TransactionNotFound
from eth.typing import AccountDetails
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError

from proofs.keccak import keccak256
from settlement.embedded_chain.store import BlockStore

CHAIN_ID = int.from_bytes(b"tong")
BLOCK_GAS_MAX = 30_000_000
FAUCET_WEI = 10**24
TIP_WEI = 10**9
SHIFT_S_MAX = 10 * 366 * 86_400
SNAPSHOTS_MAX = 16

Clock = Callable[[], int]
"""Unix seconds."""


class Refused(ValueError):
    """The chain does not take this transaction; the message is what a node would say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What `eth_call` and `eth_estimateGas` execute."""

    sender: bytes
    to: bytes
    data: bytes
    value: int
    gas: int


@dataclass(frozen=True, slots=True)
class Mined:
    """One transaction with its place: its block, its index there and its receipt (`gas_used` of a receipt is
    cumulative).
    """

    block: BlockAPI
    index: int
    transaction: SignedTransactionAPI
    receipts: tuple[ReceiptAPI, ...]


class _PragueChain(MiningChain):
    chain_id = CHAIN_ID
    vm_configuration = ((BlockNumber(0), PragueVM),)


class EmbeddedChain:
    """The chain in one folder, created on first use. `fund` (20-byte addresses) get gas money in a new genesis; an
    old chain ignores it.
    """

    def __init__(self, folder: Path, *, clock: Clock, mark: bytes, fund: tuple[bytes, ...] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._store = BlockStore(folder / "chain.sqlite3")
        self._clock = clock
        database = AtomicDB(self._store)
        if self._store.meta("genesis") is None:
            with self._store.block():
                chain = _found(database, at=clock(), mark=mark, fund=fund)
                self._store.set_meta("genesis", chain.get_canonical_block_hash(BlockNumber(0)).hex())
        self._chain = _PragueChain(database)
        self._time_shift_s = self._kept_shift_s()
        self._snapshots: dict[int, sqlite3.Connection] = {}
        self._snapshots_taken = 0

    def head(self) -> BlockHeaderAPI:
        """The newest mined header."""
        return self._chain.get_canonical_head()

    def next_header(self) -> BlockHeaderAPI:
        """The header the next block would start from: state of the head, time of now."""
        head = self.head()
        now = max(self._clock() + self._time_shift_s, head.timestamp + 1)
        return self._chain.create_header_from_parent(head, timestamp=now, gas_limit=head.gas_limit)

    def shift_time(self, seconds: int) -> int:
        """Let the next block come `seconds` later than it would have, for good; how far the chain is then ahead, in s.

        Blocks mined within one second push the chain's time ahead of the clock, so the shift counts from the chain.
        """
        if not 0 <= seconds <= SHIFT_S_MAX:
            raise Refused(f"time only moves forward, by at most {SHIFT_S_MAX} s at once")
        shift = self.next_header().timestamp + seconds - self._clock()
        with self._store.block():
            self._store.set_meta("time_shift_s", str(shift))
        self._time_shift_s = shift
        return shift

    def snapshot(self) -> int:
        """Remember everything as it is, while this process lives; a number for `revert`. Raises `Refused`."""
        if len(self._snapshots) == SNAPSHOTS_MAX:
            raise Refused(f"at most {SNAPSHOTS_MAX} snapshots are kept: revert to one")
        self._snapshots_taken += 1
        self._snapshots[self._snapshots_taken] = self._store.copied()
        return self._snapshots_taken

    def revert(self, number: int) -> bool:
        """Be as at that snapshot, which is used up by it with all later ones; whether there was one."""
        if number not in self._snapshots:
            return False
        self._store.put_back(self._snapshots[number])
        for later in [each for each in self._snapshots if each >= number]:
            self._snapshots.pop(later).close()
        self._chain = _PragueChain(AtomicDB(self._store))
        self._time_shift_s = self._kept_shift_s()
        return True

    def _kept_shift_s(self) -> int:
        return int(self._store.meta("time_shift_s") or 0)

    def header(self, number: int) -> BlockHeaderAPI | None:
        """The header at a height, None above the head."""
        if number > self.head().block_number:
            return None
        return self._chain.get_canonical_block_header_by_number(BlockNumber(number))

    def block_at(self, header: BlockHeaderAPI) -> BlockAPI:
        """The block of a header, transactions included."""
        return self._chain.get_block_by_header(header)

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI | None:
        """The header with this hash, None if there is none."""
        try:
            return self._chain.get_block_header_by_hash(Hash32(block_hash))
        except HeaderNotFound:
            return None

    def receipts(self, block: BlockAPI) -> tuple[ReceiptAPI, ...]:
        """The receipts of a block in transaction order."""
        return tuple(block.get_receipts(self._chain.chaindb))

    def find(self, transaction_hash: bytes) -> Mined | None:
        """A mined transaction by hash, None if this chain never took it."""
        try:
            number, index = self._chain.get_canonical_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        header = self._chain.get_canonical_block_header_by_number(number)
        block = self.block_at(header)
        return Mined(block, index, block.transactions[index], self.receipts(block))

    def nonce(self, address: bytes, header: BlockHeaderAPI) -> int:
        """Transactions sent by an address as of a block."""
        return self._chain.get_vm(header).state.get_nonce(Address(address))

    def balance(self, address: bytes, header: BlockHeaderAPI) -> int:
        """Wei of an address as of a block."""
        return self._chain.get_vm(header).state.get_balance(Address(address))

    def code(self, address: bytes, header: BlockHeaderAPI) -> bytes:
        """Runtime code of an address as of a block."""
        return self._chain.get_vm(header).state.get_code(Address(address))

    def storage(self, address: bytes, slot: int, header: BlockHeaderAPI) -> int:
        """One storage word of an address as of a block."""
        return self._chain.get_vm(header).state.get_storage(Address(address), slot)

    def mine(self) -> BlockHeaderAPI:
        """An empty block at the present chain time."""
        return self._mine(())

    def send(self, raw: bytes) -> bytes:
        """Take one signed transaction and mine it at once; its hash. Raises `Refused`."""
        header = self.next_header()
        try:
            transaction = self._chain.get_vm(header).get_transaction_builder().decode(raw)
            transaction.validate()
        except Exception as error:  # any malformed bytes are the sender's affair, whatever the decoder thinks of them
            raise Refused(f"transaction cannot be decoded or its signature is wrong: {error}") from error
        self._refuse_unfit(transaction, header)
        try:
            self._mine((transaction,), header)
        except ValidationError as error:
            raise Refused(f"invalid transaction: {error}") from error
        return bytes(transaction.hash)

    def call(self, call: Call, header: BlockHeaderAPI) -> ComputationAPI:
        """Execute without a trace, in the context of `header`, whose state root is the state it runs on; the finished
        computation.
        """
        vm = self._chain.get_vm(header)
        with vm.in_costless_state() as state:
            return state.costless_execute_transaction(_spoofed(call, nonce=state.get_nonce(Address(call.sender))))

    def estimate(self, call: Call) -> int:
        """A gas limit with which the call succeeds now, at most 21,000 above the least.

        Raises the virtual machine's error when none does.
        """
        header = self.next_header()
        nonce = self.nonce(call.sender, self.head())
        return self._chain.estimate_gas(_spoofed(call, nonce=nonce), header)

    def close(self) -> None:
        """Give the file back."""
        self._store.close()

    def _refuse_unfit(self, transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> None:
        if self.find(transaction.hash):
            raise Refused("already known")
        expected = self.nonce(transaction.sender, self.head())
        if transaction.nonce < expected:
            raise Refused(f"nonce too low: next nonce {expected}, tx nonce {transaction.nonce}")
        if transaction.nonce > expected:
            raise Refused(
                f"nonce too high: next nonce {expected}, tx nonce {transaction.nonce}; this chain keeps no queue"
            )
        if transaction.chain_id not in {None, CHAIN_ID}:
            raise Refused(f"invalid chain id for signer: have {transaction.chain_id} want {CHAIN_ID}")
        base_fee = header.base_fee_per_gas or 0
        if transaction.max_fee_per_gas < base_fee:
            raise Refused(f"max fee per gas less than block base fee: {transaction.max_fee_per_gas} < {base_fee}")
        if transaction.gas > header.gas_limit:
            raise Refused("exceeds block gas limit")
        if (
            self.balance(transaction.sender, self.head())
            < transaction.gas * transaction.max_fee_per_gas + transaction.value
        ):
            raise Refused("insufficient funds for gas * price + value")

    def _mine(
        self, transactions: tuple[SignedTransactionAPI, ...], header: BlockHeaderAPI | None = None
    ) -> BlockHeaderAPI:
        """Mine in one database transaction. A fresh chain object each time: a failed block leaves nothing behind, in
        memory either.
        """
        start = header or self.next_header()
        chain = _PragueChain(AtomicDB(self._store), start)
        with self._store.block():
            result, _, _ = chain.mine_all(transactions, mix_hash=keccak256(start.parent_hash))
        self._chain = chain
        return result.imported_block.header


def _found(database: AtomicDB, *, at: int, mark: bytes, fund: tuple[bytes, ...]) -> _PragueChain:
    state: dict[Address, AccountDetails] = {
        Address(address): {"balance": FAUCET_WEI, "nonce": 0, "code": b"", "storage": {}} for address in fund
    }
    genesis = {
        "coinbase": ZERO_ADDRESS,
        "difficulty": POST_MERGE_DIFFICULTY,
        "extra_data": mark,
        "gas_limit": BLOCK_GAS_MAX,
        "mix_hash": POST_MERGE_MIX_HASH,
        "nonce": POST_MERGE_NONCE,
        "receipt_root": BLANK_ROOT_HASH,
        "timestamp": at,
        "transaction_root": BLANK_ROOT_HASH,
    }
    return _PragueChain.from_genesis(database, genesis, state)  # type: ignore[arg-type,return-value] # wheel: too narrow


def _spoofed(call: Call, *, nonce: int) -> SignedTransactionAPI:
    builder = PragueVM.get_transaction_builder()
    unsigned = builder.create_unsigned_transaction(
        nonce=nonce, gas_price=0, gas=call.gas, to=Address(call.to), value=call.value, data=call.data
    )
    return cast("SignedTransactionAPI", SpoofTransaction(unsigned, from_=call.sender))
