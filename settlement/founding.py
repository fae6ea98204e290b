"""A hub's first batch: the genesis header with the zero rows of everybody who takes part, or with the rows that the hub
before left; stored and published before its hub exists.

Invariants: the header names the hub's address, so it is made for the address that the next contract of the deploying
account is going to have; as long as no hub was deployed with it, a genesis for another address is put aside and made
anew. Called by deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.commands import PublishTerms
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.headers import genesis_anchor
from settlement import keys, readers, tables
from settlement.alliance import FOUNDING_CONFIG, PARAMS, Attester, Params
from settlement.carrying import Carry
from settlement.handover import Handover, MerchantSeat
from settlement.mirrors import Mirror
from settlement.publish import Recipient, pack, publish
from settlement.sealing.lanes import Roster
from settlement.sealing.leaves import registered_accounts
from settlement.sealing.seal import Sealed, carried, genesis
from settlement.tables import Batch, Conn, SealedFields
from settlement.tiers.founding import TierFounding
from settlement.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """Who takes part: merchant ids, their lanes and terms, the attesters, and base units of collateral by merchant.
    Without a `handover` the founding account keeps every role, which is for development.
    """

    merchants: Sequence[int]
    roster: Roster
    terms: Sequence[PublishTerms]
    attesters: Sequence[Attester]
    collateral: Mapping[int, int]
    asset: bytes | None = None
    """The settlement asset where there is one already: an ERC-20 with 6 decimals of which the sender holds enough for
    bond and collateral. None brings a token of our own, for development.
    """
    params: Params = PARAMS
    tiers: TierFounding | None = None
    """With it the alliance gets a registry of tiers, now or when it is founded again."""
    handover: Handover | None = None
    carry: Carry | None = None
    """With it the ledger goes on at this hub after another one; without it it begins here."""
    seats: Mapping[int, MerchantSeat] = field(default_factory=dict)
    """Merchants that administer themselves: each gets its place when everything is registered."""

    @property
    def first_batch(self) -> int:
        """The number of the hub's first header."""
        return 0 if self.carry is None else self.carry.first_batch

    @property
    def parties(self) -> list[int]:
        """Everyone with a cash account, ascending."""
        return sorted({*self.merchants, OPERATOR_ID, RESERVE_ID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Who may read what is published at first (later `readers` says), where it is put, and the vault of the keys."""

    vault: Vault
    recipients: Sequence[Recipient]
    mirrors: Sequence[Mirror]


def genesis_batch(
    conn: Conn, founding: Founding, publication: Publication, *, chain_id: int, hub: bytes, now: int
) -> Batch:
    """The first batch of a hub at this address: the one that is stored, or a new one. Published when this returns."""
    number, carry = founding.first_batch, founding.carry
    anchor = (genesis_anchor if carry is None else carry.anchor_of)(chain_id=chain_id, hub=hub)
    held = tables.batch(conn, number)
    if held is not None and held.sealed is not None and held.done.header.prev_header_hash == anchor:
        batch = held
    else:
        before = held or tables.plan(conn, number)
        incarnation = 0 if before is None else before.incarnation + 1
        at = now if carry is None else max(now, carry.last.done.sealed_at)
        opened = keys.opened(publication.vault, batch_no=number, incarnation=incarnation, opened_at=at)
        batch = _store(conn, founding, publication, opened, chain_id=chain_id, hub=hub)
    accounts = [row.account for row in batch.done.rows]
    secret = keys.batch_secret(publication.vault, batch)
    sealed = _sealed(founding, batch.opened_at, accounts, secret, chain_id=chain_id, hub=hub)
    if batch.done.wrapped:  # none are kept of a genesis that was published before they were
        package = pack(sealed, data_key=keys.data_key(publication.vault, batch), wrapped=batch.done.wrapped)
        publish(package, batch.done.header, publication.mirrors, supersedes=tables.known_hashes(conn, number))
    return batch


def _store(
    conn: Conn, founding: Founding, publication: Publication, batch: Batch, *, chain_id: int, hub: bytes
) -> Batch:
    accounts = registered_accounts(founding.roster, issuers=founding.merchants, parties=founding.parties)
    secret, carry = keys.batch_secret(publication.vault, batch), founding.carry
    sealed = _sealed(founding, batch.opened_at, accounts, secret, chain_id=chain_id, hub=hub)
    recipients = publication.recipients if carry is None else readers.of_batch(conn, batch.batch_no)
    package = pack(sealed, data_key=keys.data_key(publication.vault, batch), recipients=recipients)
    first_leaf, last_seq = (0, 0) if carry is None else (sealed.header.first_leaf_no, carry.last.done.last_seq)
    fields = SealedFields(
        first_leaf=first_leaf,
        last_leaf=max(0, first_leaf - 1),
        first_seq=last_seq,
        last_seq=last_seq,
        settling=False,
        sealed_at=batch.opened_at,
        header=sealed.finish(package.data_hash),
        rows=sealed.rows,
        nets=[],
        wrapped=package.wrapped,
    )
    with conn.transaction():
        tables.supersede_from(conn, batch.batch_no)
        tables.open_batch(conn, batch)
        tables.seal_batch(conn, batch, fields)
        readers.found(conn, publication.recipients)
    stored = tables.batch(conn, batch.batch_no)
    assert stored is not None
    return stored


def _sealed(
    founding: Founding, opened_at: int, accounts: Sequence[bytes], secret: bytes, *, chain_id: int, hub: bytes
) -> Sealed:
    carry = founding.carry
    if carry is None:
        return genesis(
            chain_id=chain_id,
            hub=hub,
            registered=accounts,
            founded_at=opened_at,
            config_hash=FOUNDING_CONFIG,
            batch_secret=secret,
        )
    return carried(
        before=carry.before,
        last=carry.last.done.header,
        closing=carry.last.done.rows,
        chain_id=chain_id,
        hub=hub,
        registered=accounts,
        founded_at=opened_at,
        config_hash=FOUNDING_CONFIG,
        batch_secret=secret,
    )
