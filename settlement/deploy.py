"""Found an alliance: deploy the contracts, register who takes part, put the money in place, record the anchor.

Invariants: every transaction has a purpose in the outbox, so a deployment that was interrupted anywhere goes on where
it was and no contract exists twice; nothing counts as founded before the hub's own first header is the one that
was prepared for it, by both nodes where a second one is asked. The account that deploys also administers the hosted
merchants; a merchant with a signer of its own takes its place over by the registry's setAddresses. Called by the entry
points. Source: docs/decisions/0253.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import gcd
from typing import Any, NamedTuple, TypeVar

from ledger.commands import PublishTerms
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import second_node, tables
from settlement.alliance import FOUNDING_CONFIG, Alliance, attach
from settlement.carrying import Carry, step_over
from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import Contract
from settlement.chain.gas import bounded_gas
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import CALL_GAS, call, create, created
from settlement.deployment.code import differences
from settlement.founding import Founding, Publication, genesis_batch
from settlement.handover import hand_merchant, hand_over
from settlement.sealing.lanes import Lane
from settlement.second_node import NodesDisagree
from settlement.tables import Anchor, Batch, Conn
from settlement.tiers.founding import found_tiers

MERCHANTS_PER_TX, LANES_PER_TX, TERMS_PER_TX = 32, 96, 64
MERCHANT_GAS, LANE_GAS, TERMS_GAS = 100_000, 45_000, 130_000
UNLIMITED = 2**256 - 1

MONEY_GAS = 250_000
CLOCKS_APART_S_MAX = 900
"""Of two nodes that follow one chain."""
NOTHING_CARRIED = 0, bytes(20), bytes(32), 0, 0, 0, 0, bytes(32)
"""The hub's `Carried` struct where a ledger begins."""

T = TypeVar("T")


class Nodes(NamedTuple):
    """The node that is asked, and one that has to say the same."""

    first: Chain
    second: Chain | None


class Registration(NamedTuple):
    """One call of the registry with some dozens of items."""

    purpose: str
    function: str
    part: Sequence[tuple[Any, ...]]
    gas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A hub as a node shows it: chain and block 0, its code, its first header, asset, policy and registry, and in which
    block the registry was made, before which nothing is ever read.
    """

    chain: tuple[int, bytes]
    code_hash: bytes
    first_header: bytes
    partners: tuple[str, ...]
    first_block: int | None


class NoGasMoney(RuntimeError):
    """The deploying account has nothing to pay with."""


class TermsOutOfOrder(ValueError):
    """The registry numbers terms 1, 2, 3, …, and the ledger's numbers must be the same."""


class GenesisDiffers(RuntimeError):
    """The hub opened with another header than was prepared for it, or is another contract than ours."""


def found(
    conn: Conn,
    chain: Chain,
    outbox: Outbox,
    founding: Founding,
    publication: Publication,
    *,
    second: Chain | None = None,
) -> Alliance:
    """The alliance, founded now or long ago, with everything that was still missing done. Raises as `attach` does, and
    `NodesDisagree` where the `second` node does not bear out what is about to be written down for good.
    """
    if chain.balance(outbox.sender) == 0:
        raise NoGasMoney(f"0x{outbox.sender.hex()} has no gas money on {chain.place}")
    with outbox.leading(wait_s_max=outbox.takeover_s) as led:
        if not _stands(conn, founding):
            _deploy(conn, Nodes(chain, second), led, founding, publication)
        alliance = attach(conn, chain, second=second)
        call(led, "bind-hub", alliance.registry, "bindHub", alliance.anchor.hub)
        _fund(alliance, led, founding)
        for merchant_id, seat in sorted(founding.seats.items()):
            hand_merchant(alliance, led, merchant_id, seat)
        if founding.tiers is not None:
            found_tiers(conn, chain, led, founding.tiers, second=second)
            alliance = attach(conn, chain, second=second)
        if founding.handover is not None:
            hand_over(alliance if founding.carry is None else replace(alliance, tiers_at=None), led, founding.handover)
        led.reconcile()
    return alliance


def _stands(conn: Conn, founding: Founding) -> bool:
    """Whether this database settles there already; a hub that the ledger left is no place to come back to."""
    anchor = tables.anchor(conn)
    return anchor is not None and (founding.carry is None or anchor.first_batch == founding.first_batch)


def extend(alliance: Alliance, outbox: Outbox, founding: Founding) -> None:
    """Register the merchants, lanes and terms that the registry does not have yet, valid from the next batch."""
    with outbox.leading(wait_s_max=outbox.takeover_s) as led:
        _register(alliance.registry, led, founding, first_block=alliance.anchor.deploy_block)


def deposit(alliance: Alliance, outbox: Outbox, *, merchant_id: int, amount: int, reference: str) -> None:
    """Add collateral (base units of the outbox' own tokens), once for each `reference`."""
    call(outbox, f"deposit:{merchant_id}:{reference}", alliance.hub, "deposit", merchant_id, amount, gas=MONEY_GAS)


def _deploy(conn: Conn, nodes: Nodes, outbox: Outbox, founding: Founding, publication: Publication) -> None:
    chain, second = nodes
    admin = outbox.sender
    token = _asset(chain, outbox, founding)
    registry, deploy_block = create(chain, outbox, "MerchantRegistry", admin)
    _register(registry, outbox, founding, first_block=deploy_block)
    attesters = [tuple(attester) for attester in founding.attesters]
    policy, _ = create(
        chain, outbox, "AlliancePolicy", registry.address, admin, tuple(founding.params), attesters, FOUNDING_CONFIG
    )
    fund, _ = create(chain, outbox, "GuaranteeFund", registry.address)
    queue, _ = create(chain, outbox, "ForcedQueue", policy.address)
    outbox.renew()
    now, nonce = _agreed_now(nodes), _hub_nonce(outbox)
    zero = genesis_batch(
        conn, founding, publication, chain_id=outbox.chain_id, hub=created(outbox.sender, nonce), now=now
    )
    partners = token.address, policy.address, fund.address, queue.address
    genesis = _genesis_argument(zero, founding.carry)
    hub, hub_block = create(chain, outbox, "SettlementHub", *partners, admin, genesis, nonce=nonce)
    if hub.read("headerHash", zero.batch_no) != zero.header_hash:
        raise GenesisDiffers(f"the hub at 0x{hub.address.hex()} is not the one that genesis was made for")
    code = chain.code(hub.address)
    if apart := differences("SettlementHub", code):
        raise GenesisDiffers(f"the hub at 0x{hub.address.hex()} is not the one that was compiled: {apart}")
    anchor = Anchor(
        chain_id=outbox.chain_id,
        genesis_hash=chain.genesis_hash(),
        token=token.address,
        registry=registry.address,
        policy=policy.address,
        hub=hub.address,
        code_hash=keccak256(code),
        deploy_block=deploy_block,
        deployer=outbox.sender,
        founded_at=zero.done.sealed_at,
        first_batch=zero.batch_no,
    )
    _require_borne_out(Alliance(anchor=anchor, chain=chain, second=second), outbox, zero, hub_block)
    with conn.transaction():
        outbox.require_lead()
        step_over(conn, anchor, zero)


def _agreed_now(nodes: Nodes) -> int:
    """The chain's time, Unix seconds: a hub that opened in the future could take no batch until then. Raises
    `NodesDisagree`, `ChainError`.
    """
    (chain, second), now = nodes, nodes.first.now()
    if second is not None and abs(now - (other := second.now())) > CLOCKS_APART_S_MAX:
        raise NodesDisagree(f"the time: {now} by {chain.place}, {other} by {second.place}")
    return now


def _require_borne_out(new: Alliance, outbox: Outbox, zero: Batch, hub_block: int) -> None:
    """What the anchor says for good of the new hub, both nodes say; the second may take a moment longer to see it.
    Raises `NodesDisagree`, `ChainError`.
    """
    (registry,), held = outbox.mined("deploy:MerchantRegistry" + outbox.scope), new.anchor
    told = Seen(
        chain=(held.chain_id, held.genesis_hash),
        code_hash=held.code_hash,
        first_header=zero.header_hash,
        partners=tuple(map(hex_text, (held.token, held.policy, held.registry))),
        first_block=held.deploy_block,
    )
    second_node.wait_for(new, hub_block, meanwhile=outbox.renew)
    seen = second_node.agreed(new, "the new hub", lambda each: _seen(each, registry, zero.batch_no))
    if seen != told:
        raise ChainUnclear(f"{new.chain.place} says something else of the hub that was founded than before")


def _seen(new: Alliance, registry: bytes, first_batch: int) -> Seen:
    receipt = new.chain.receipt(registry)
    return Seen(
        chain=(new.chain.chain_id(), new.chain.genesis_hash()),
        code_hash=keccak256(new.chain.code(new.anchor.hub)),
        first_header=new.hub.read("headerHash", first_batch),
        partners=tuple(str(new.hub.read(view)).lower() for view in ("asset", "policy", "registry")),
        first_block=None if receipt is None else receipt.block_number,
    )


def _asset(chain: Chain, outbox: Outbox, founding: Founding) -> Contract:
    if founding.asset is None:
        return create(chain, outbox, "TestToken")[0]
    return Contract(chain, "TestToken", founding.asset)  # of whose functions only ERC-20's are called


def _genesis_argument(zero: Batch, carry: Carry | None) -> tuple[Any, ...]:
    """The hub's `Genesis` struct."""
    header = zero.done.header
    fresh = header.accounts_count, header.accounts_root, header.data_hash, header.opened_at, header.config_hash
    if carry is None:
        return *fresh, NOTHING_CARRIED
    old, counted = carry.before, (header.batch_no, header.nets_since_batch, header.first_leaf_no)
    return *fresh, (old.chain_id, old.hub, old.header_hash, *counted, header.total_points, header.journal_head)


def _hub_nonce(outbox: Outbox) -> int:
    """From which, and the deploying account, it follows where the hub is, or is going to be."""
    nonce = outbox.nonce_of("deploy:SettlementHub" + outbox.scope)
    return outbox.next_nonce() if nonce is None else nonce


def _register(registry: Contract, outbox: Outbox, founding: Founding, *, first_block: int) -> None:
    for each in missing(registry, founding, outbox.sender, first_block=first_block):
        call(outbox, each.purpose, registry, each.function, each.part, gas=each.gas)


def missing(registry: Contract, founding: Founding, admin: bytes, *, first_block: int) -> list[Registration]:
    """Everything of `founding` that the registry's events do not show yet, some dozens of items a transaction."""
    known = {event.fields["merchantId"] for event in registry.events("MerchantSet", first=first_block)}
    lanes = {
        (event.fields["merchantId"], event.fields["keyId"]) for event in registry.events("KeySet", first=first_block)
    }
    held = registry.read("termsCount")
    return list(registrations(founding, admin, known=known, lanes=lanes, terms_held=held))


def registrations(
    founding: Founding,
    admin: bytes,
    *,
    known: Collection[int] = (),
    lanes: Collection[tuple[int, int]] = (),
    terms_held: int = 0,
) -> Iterator[Registration]:
    """What has to be registered of `founding`, but for the merchants, lanes and terms that are there."""
    merchants = [(party, admin, admin) for party in founding.parties if party not in known]
    keys = [_lane_argument(lane) for lane in founding.roster if lane.id not in lanes]
    terms = _new_terms(founding.terms, terms_held)
    for function, items, size, gas in (
        ("addMerchants", merchants, MERCHANTS_PER_TX, MERCHANT_GAS),
        ("addKeys", keys, LANES_PER_TX, LANE_GAS),
        ("addTerms", terms, TERMS_PER_TX, TERMS_GAS),
    ):
        for part in _parts(items, size):
            purpose = f"{function}:{keccak256(repr(part).encode()).hex()[:16]}"
            yield Registration(purpose, function, part, bounded_gas(CALL_GAS + gas * len(part)))


def _lane_argument(lane: Lane) -> tuple[int, int, bytes, int]:
    return lane.merchant_id, lane.key_id, lane.address, lane.kind_mask


def _new_terms(terms: Sequence[PublishTerms], held: int) -> list[tuple[int, int, int, int, int]]:
    """(issuer, any acceptor, num, den in base units a point, mode) of the terms after the `held` first ones."""
    ordered = sorted(terms, key=lambda each: each.terms_id)
    if [each.terms_id for each in ordered] != list(range(1, len(ordered) + 1)):
        raise TermsOutOfOrder(f"terms must be numbered from 1 without a gap, not {[t.terms_id for t in ordered]}")
    return [(each.issuer_id, 0, *_base_units(each), int(each.mode)) for each in ordered[held:]]


def _base_units(terms: PublishTerms) -> tuple[int, int]:
    """A point's worth in base units, reduced."""
    num = terms.au_num * BASE_UNITS_PER_AU
    common = gcd(num, terms.au_den)
    return num // common, terms.au_den // common


def _fund(alliance: Alliance, outbox: Outbox, founding: Founding) -> None:
    """Mint if the asset is our own, approve, post the bond, deposit each merchant's collateral: each once."""
    bond = founding.params.operator_bond_min
    total = bond + sum(founding.collateral.values())
    if founding.asset is None:
        call(outbox, "mint:founding", alliance.token, "mint", outbox.sender, total)
    call(outbox, "approve:founding", alliance.token, "approve", alliance.anchor.hub, UNLIMITED)
    if bond:
        call(outbox, "bond:founding", alliance.hub, "postBond", bond, gas=MONEY_GAS)
    for merchant_id, amount in sorted(founding.collateral.items()):
        deposit(alliance, outbox, merchant_id=merchant_id, amount=amount, reference="founding")


def _parts(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
