"""Batch 0: the genesis header with the zero rows of everybody who takes part, stored and published before its hub
exists.

Invariants: the header names the hub's address, so it is made for the address that the next contract of the deploying
account is going to have; as long as no hub was deployed with it, a genesis for another address is put aside and made
anew. Called by deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.commands import PublishTerms
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.headers import genesis_anchor
from settlement import keys, readers, tables
from settlement.alliance import FOUNDING_CONFIG, PARAMS, Attester, Params
from settlement.handover import Handover
from settlement.mirrors import Mirror
from settlement.publish import Recipient, pack, publish
from settlement.sealing.lanes import Roster
from settlement.sealing.leaves import registered_accounts
from settlement.sealing.seal import Sealed, genesis
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
    """Batch 0 for a hub at this address: the one that is stored, or a new one. Published when this returns."""
    held = tables.batch(conn, 0)
    fits = held is not None and held.done.header.prev_header_hash == genesis_anchor(chain_id=chain_id, hub=hub)
    if held is not None and fits:
        batch = held
    else:
        incarnation = 0 if held is None else held.incarnation + 1
        opened = keys.opened(publication.vault, batch_no=0, incarnation=incarnation, opened_at=now)
        batch = _store(conn, founding, publication, opened, chain_id=chain_id, hub=hub)
    sealed = _sealed(publication.vault, batch, chain_id, hub, [row.account for row in batch.done.rows])
    if batch.done.wrapped:  # none are kept of a genesis that was published before they were
        package = pack(sealed, data_key=keys.data_key(publication.vault, batch), wrapped=batch.done.wrapped)
        publish(package, batch.done.header, publication.mirrors, supersedes=tables.known_hashes(conn, 0))
    return batch


def _store(
    conn: Conn, founding: Founding, publication: Publication, batch: Batch, *, chain_id: int, hub: bytes
) -> Batch:
    accounts = registered_accounts(founding.roster, issuers=founding.merchants, parties=founding.parties)
    sealed = _sealed(publication.vault, batch, chain_id, hub, accounts)
    package = pack(sealed, data_key=keys.data_key(publication.vault, batch), recipients=publication.recipients)
    fields = SealedFields(
        first_leaf=0,
        last_leaf=0,
        first_seq=0,
        last_seq=0,
        settling=False,
        sealed_at=batch.opened_at,
        header=sealed.finish(package.data_hash),
        rows=sealed.rows,
        nets=[],
        wrapped=package.wrapped,
    )
    with conn.transaction():
        tables.supersede_from(conn, 0)
        tables.open_batch(conn, batch)
        tables.seal_batch(conn, batch, fields)
        readers.found(conn, publication.recipients)
    stored = tables.batch(conn, 0)
    assert stored is not None
    return stored


def _sealed(vault: Vault, batch: Batch, chain_id: int, hub: bytes, accounts: Sequence[bytes]) -> Sealed:
    return genesis(
        chain_id=chain_id,
        hub=hub,
        registered=accounts,
        founded_at=batch.opened_at,
        config_hash=FOUNDING_CONFIG,
        batch_secret=keys.batch_secret(vault, batch),
    )
