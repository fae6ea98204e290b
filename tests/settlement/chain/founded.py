"""An alliance that was founded once: each test gets a copy of its database and folder, and the chain as it was then.

Founding is sixteen transactions and a hundred questions; most tests begin after it. Invariants: a copy is of the
founded state, byte for byte; what any test did on the shared chain before is gone with the next copy. Called by
`tests/conftest.py`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from settlement.chain.client import Chain
from tests.settlement.chain.field import Field, registry_commands


@dataclass(slots=True)
class Founded:
    """The founded alliance; nobody connects to its database but its clones."""

    field: Field
    snapshot: str

    def copied(self, dsn: str, folder: Path) -> Field:
        """The alliance of a test: its database, a clone of ours, is there already."""
        self.put_back()
        shutil.copytree(self.field.folder, folder, dirs_exist_ok=True)
        return Field(dsn=dsn, url=self.field.url, folder=folder)

    def put_back(self) -> str:
        """The chain's address; it is again as it was, its time too."""
        chain = Chain(self.field.url)
        assert chain._ask("evm_revert", self.snapshot) is True
        self.snapshot = chain._ask("evm_snapshot")
        return self.field.url


def found_once(dsn: str, url: str, folder: Path) -> Founded:
    """Three merchants, their terms, three members; contracts with the usual collateral."""
    made = Field(dsn=dsn, url=url, folder=folder)
    made.post(registry_commands())
    with made.settlement():
        pass
    return Founded(made, Chain(url)._ask("evm_snapshot"))
