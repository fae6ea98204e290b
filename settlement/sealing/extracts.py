"""A merchant's extract of a batch, made: its leaves from the published file, its rows from the tables.

Invariants: of others there is nothing but the hashes that a proof needs; every row comes with its path under a header
that the tables hold. Called by `inclusions` for the front door; `proofs.extract` is how the merchant checks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proofs.accounts import CASH, LANE, POINTS, ROW_SALT_SEQ, cash_account, salt
from proofs.json_form import hex_text, to_json
from proofs.lpb1 import Row
from proofs.messages import AccountRow, BatchHeader
from proofs.tree import Tree

_KINDS = frozenset({LANE, POINTS, CASH})


class SealedRows:
    """The accounts tree of one sealed batch."""

    def __init__(self, header: BatchHeader, rows: Sequence[Row], batch_secret: bytes) -> None:
        self.header = header
        self._secret = batch_secret
        self._rows = rows
        self._index = {row.account: index for index, row in enumerate(rows)}
        self._tree = Tree([row.row_hash(batch_secret) for row in rows])
        if self._tree.root != header.accounts_root:
            raise ValueError(f"batch {header.batch_no}: the rows are not those of the header")

    def accounts_of(self, merchant_id: int) -> list[bytes]:
        """The merchant's lanes, points and cash."""
        number = merchant_id.to_bytes(4, "big")
        return [account for account in self._index if account[0] in _KINDS and account[1:5] == number]

    def proven(self, account: bytes) -> dict[str, Any] | None:
        """{row, index, path} of an account, None where it has no row."""
        index = self._index.get(account)
        if index is None:
            return None
        row = self._rows[index]
        opened = AccountRow(
            row.account, row.seq, row.last_leaf_no, row.balance, salt(self._secret, row.account, ROW_SALT_SEQ)
        )
        path = [hex_text(sibling) for sibling in self._tree.path(index)]
        return {"row": to_json(opened), "index": str(index), "path": path}


def head(
    merchant_id: int,
    *,
    chain_id: int,
    hub: bytes,
    rows: SealedRows,
    previous: SealedRows | None,
    settled: SealedRows | None,
) -> Mapping[str, Any]:
    """What all pages of one extract share."""
    return {
        "chainId": str(chain_id),
        "hub": hex_text(hub),
        "merchantId": str(merchant_id),
        "header": to_json(rows.header),
        "previous": None if previous is None else to_json(previous.header),
        "settled": None if settled is None else to_json(settled.header),
        "rows": [
            {
                "account": hex_text(account),
                "opening": None if previous is None else previous.proven(account),
                "closing": rows.proven(account),
                "settled": settled.proven(account) if settled and account == cash_account(merchant_id) else None,
            }
            for account in rows.accounts_of(merchant_id)
        ],
    }
