"""The secret of each epoch, in the vault: what its witnesses are made from, and what is destroyed when it is over.

Invariants: wrapped under the vault's key and bound to the epoch; deleting the row is what erasing means. Nothing of it
is logged. Called by `epochs`, `trees`, `witness` and `forgetting`.
"""

from __future__ import annotations

from settlement.tables import Conn
from settlement.tiers.salts import EpochSecret
from settlement.vault import Vault, fresh

_KEEP = "INSERT INTO vault.tier_secret (epoch, wrapped) VALUES (%s, %s)"
_HELD = "SELECT wrapped FROM vault.tier_secret WHERE epoch = %s"
_ERASE = "DELETE FROM vault.tier_secret WHERE epoch = %s"


class Erased(LookupError):
    """The epoch's secret is gone: nothing of it can be made again."""


def draw(conn: Conn, vault: Vault, epoch: int) -> None:
    """Make an epoch's secret. In the caller's transaction."""
    conn.execute(_KEEP, [epoch, vault.wrap(fresh(), _label(epoch))])


def opened(conn: Conn, vault: Vault, epoch: int) -> EpochSecret:
    """An epoch's secret. Raises `Erased`, `VaultError`."""
    row = conn.execute(_HELD, [epoch]).fetchone()
    if row is None:
        raise Erased(f"the secret of epoch {epoch} was erased")
    return EpochSecret(vault.open(bytes(row[0]), _label(epoch)))


def erase(conn: Conn, epoch: int) -> None:
    """For good. In the caller's transaction."""
    conn.execute(_ERASE, [epoch])


def _label(epoch: int) -> str:
    return f"tier epoch {epoch}"
