"""The two secrets of a batch: what salts its hashes, and what encrypts its file. Made and wrapped before anything uses
them.

Called by sealing and founding, which store the OPEN row before they go on.
"""

from __future__ import annotations

from settlement.steps import State
from settlement.tables import Batch
from settlement.vault import Vault, fresh


def opened(vault: Vault, *, batch_no: int, incarnation: int, opened_at: int) -> Batch:
    """A batch that has nothing but its number and fresh secrets."""
    return Batch(
        batch_no=batch_no,
        incarnation=incarnation,
        state=State.OPEN,
        batch_secret=vault.wrap(fresh(), _secret_name(batch_no, incarnation)),
        data_key=vault.wrap(fresh(), _key_name(batch_no, incarnation)),
        opened_at=opened_at,
        sealed=None,
    )


def batch_secret(vault: Vault, batch: Batch) -> bytes:
    """32 bytes that salt every posting and row of the batch."""
    return vault.open(batch.batch_secret, _secret_name(batch.batch_no, batch.incarnation))


def data_key(vault: Vault, batch: Batch) -> bytes:
    """32 bytes from which the file's content key is derived."""
    return vault.open(batch.data_key, _key_name(batch.batch_no, batch.incarnation))


def _secret_name(batch_no: int, incarnation: int) -> str:
    return f"batch {batch_no}.{incarnation} secret"


def _key_name(batch_no: int, incarnation: int) -> str:
    return f"batch {batch_no}.{incarnation} data key"
