"""The logs of hub, policy, registry, fund and queue replayed in order: the state that they describe.

One method for each event that is more than money (`money`) or the queue (`forced`), named after it. Nothing is judged.
Used by `reading`. Source: protocol §4.2, §4.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auditor.chain import Commit, Config, Governance, OnChain, Params
from auditor.forced import Queue
from auditor.logs import EVENTS, LogError
from auditor.money import Money
from auditor.questions import Log, block, call, signatures
from auditor.registry import NO_END, Key, Registry
from auditor.rpc import Nodes, RpcError
from proofs.headers import Predecessor
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.kinds import Terms
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES, ZERO_WORD, WordError, uint_word

CONFIG_GRACE_SECONDS = 86_400
"""For how long a configuration that was replaced may still be sealed under."""
ROLES = ("SUBMITTER", "OPERATOR", "COURT", "CHARTER", "GOVERNOR", "GUARDIAN", "RISK", "REGISTRAR")
"""Roles that are shown by name; others by their hash."""


class Replay:
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
        self._config: Config | None = None
        self.receipt_signers: dict[bytes, int] = {}
        self.reverted: set[bytes] = set()
        self.money, self.queue = Money(), Queue()
        self.carried: Predecessor | None = None
        self.winds_down_since = 0
        self._roles: set[tuple[bytes, bytes, bytes]] = set()

    def take(self, log: Log) -> None:
        """One log; events that an audit does not read are passed over."""
        event = EVENTS.get(log.topics[0]) if log.topics else None
        if event is None:
            return
        try:
            values: Any = event.decode(log.topics, log.data)
            took = self.money.take(event.name, values) | self.queue.take(event.name, values)
            method = getattr(self, f"_{event.name}", None)
            if method is not None:
                method(log, **values)
            else:
                assert took, event.name
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
            stored_hash=call(self._nodes, self._hub, "headerHash(uint64)", uint_word(told["batchNo"]), self._block_no),
            block_time=self._time(log.block_no),
            final_after=told["finalAfter"],
            weight=told["weight"],
            attesters=told["attesters"],
            signatures=signatures(self._nodes, log.tx_hash),
            governance=Governance(self._params, dict(self._attesters), frozenset(self._admins.values()), self._config),
        )
        commit = Commit(header, told["headerHash"], None, on_chain)
        self.commits.append(commit)
        self._newest[told["batchNo"]] = commit

    def _CarriedOver(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        if log.address == self._hub:
            self.carried = Predecessor(told["chainId"], told["hub"], told["headerHash"])

    def _WindDownBegun(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        if log.address == self._hub:
            self.winds_down_since, self.queue.hub_ends = told["since"], True

    def _NetsCommitted(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._newest[told["batchNo"]].nets = [(merchant, amount) for merchant, amount in told["nets"]]

    def _BatchFinalised(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._on_chain(told["batchNo"]).final = True

    def _NetSettled(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._on_chain(told["batchNo"]).settled[told["merchantId"]] = (told["net"], told["shortfall"])

    def _BatchReverted(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        gone = [commit for commit in self.commits if commit.header.batch_no >= told["batchNo"]]
        self.commits = [commit for commit in self.commits if commit.header.batch_no < told["batchNo"]]
        self.reverted |= {commit.header_hash for commit in gone}

    def _ParamsChanged(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._params = Params(*told["params"])
        self._configure(log, told["configHash"])

    def _DisputeParamsChanged(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._configure(log, told["configHash"])

    def _RulesVersionChanged(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._configure(log, told["configHash"])

    def _AttesterSetChanged(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._configure(log, told["configHash"])

    def _ReceiptSignerSet(self, _log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self.receipt_signers[told["signer"]] = told["until"]

    def _RoleGranted(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._roles.add((log.address, told["role"], told["account"]))

    def _RoleRevoked(self, log: Log, **told: Any) -> None:  # noqa: N802 - named after the event
        self._roles.discard((log.address, told["role"], told["account"]))

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

    def roles(self, contracts: Mapping[str, bytes]) -> tuple[str, ...]:
        """Who may do what now, one line each, in order."""
        names = {address: name for name, address in contracts.items()}
        return tuple(
            sorted(
                f"{names[contract]} {role_name(role)} {hex_text(account)}" for contract, role, account in self._roles
            )
        )

    def _configure(self, log: Log, config_hash: bytes) -> None:
        """Another configuration holds from here; the one before is good for a day."""
        until = self._time(log.block_no) + CONFIG_GRACE_SECONDS
        if self._config is None:
            self._config = Config(config_hash, None, until)
        elif self._config.current != config_hash:
            self._config = Config(config_hash, self._config.current, until)

    def _time(self, block_no: int) -> int:
        """When a block was made; many logs share one."""
        if block_no not in self._times:
            answer = self._nodes.agreed(block, "eth_getBlockByNumber", hex(block_no), False)  # noqa: FBT003 - JSON
            self._times[block_no] = answer[2]
        return self._times[block_no]

    def _on_chain(self, batch_no: int) -> OnChain:
        on_chain = self._newest[batch_no].on_chain
        assert on_chain is not None, "commits of a replay come from the chain"
        return on_chain


def role_name(role: bytes) -> str:
    """A role as people write it."""
    return _ROLE_NAMES.get(role, hex_text(role))


def moved_roles(told: Iterable[object], now: Iterable[str]) -> tuple[list[str], list[str]]:
    """Lines of an anchor that are so no more, and lines of now that it does not have."""
    before, after = {_by_name(str(each)) for each in told}, set(now)
    return sorted(before - after), sorted(after - before)


def _by_name(told: str) -> str:
    """A line with its role by name, which an earlier report may have by its hash."""
    contract, _, rest = told.partition(" ")
    role, _, account = rest.partition(" ")
    return f"{contract} {_NAMES_OF_HASHES.get(role, role)} {account}"


_ROLE_NAMES = {ZERO_WORD: "DEFAULT_ADMIN"}
_ROLE_NAMES |= {keccak256(spelled.encode()): name for name in ROLES for spelled in (name, f"{name}_ROLE")}
_NAMES_OF_HASHES = {hex_text(role): name for role, name in _ROLE_NAMES.items()}
