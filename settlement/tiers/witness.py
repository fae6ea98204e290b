"""What a wallet fetches once an epoch is on the chain: its owner's attributes, salt and path, with the signed header.

Invariants: a witness is made from the epoch's secret when it is asked for, and stored nowhere; a member's secret is
not in it, so whoever reads one can prove nothing with it; an epoch that is not anchored, over or revoked has none.
Called by the door and by assisted proving; nothing of it may be logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import TreeBusy
from proofs.tier.header import SignedHeader
from settlement.tables import Conn
from settlement.tiers import commitments, epoch_secrets, rows
from settlement.tiers.clock import EPOCH_NO_MAX
from settlement.tiers.rows import Epoch, State
from settlement.tiers.trees import TreeDiffers, Trees
from settlement.vault import Vault, VaultError

OPERATORS_TROUBLE: Final = (TreeDiffers, TreeBusy, VaultError, epoch_secrets.Erased)
"""Why a witness cannot be made that its owner should have."""
_WIDE: Final = frozenset({"points", "spend"})

_LEAF = """
SELECT l.place, l.commitment, l.attributes, b.blind FROM settlement.tier_leaf l
JOIN vault.tier_blind b ON b.shard = l.shard AND b.member_no = l.key_member_no AND b.key_no = l.key_no
JOIN ledger.person p ON p.shard = 0 AND p.name = %(member)s
WHERE l.epoch = %(epoch)s AND l.shard = 0 AND l.member_no = coalesce(p.merged_into, p.member_no)
"""


class NoWitness(LookupError):
    """Root: why there is none. `code` names the reason for callers."""

    code = "no-witness"


class NotEnrolled(NoWitness):
    """The member has no commitment."""

    code = "not-enrolled"


class NotYet(NoWitness):
    """The member's commitment takes effect in a later epoch, or no epoch is on the chain yet."""

    code = "not-yet"


class NotInEpoch(NoWitness):
    """The member was not there when the epoch was sealed: enrolled later, frozen, or merged into another since."""

    code = "not-in-epoch"


class EpochNotInForce(NoWitness):
    """The epoch is not on the chain, is over, or was revoked."""

    code = "epoch-not-in-force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One member's place in one epoch. `path` are the siblings from the leaf up; `root` is where it leads."""

    epoch: int
    commitment: int
    attributes: Attributes
    salt: int = field(repr=False)
    index: int = field(repr=False)
    path: list[int] = field(repr=False)
    root: int
    signed: SignedHeader

    def to_json(self) -> dict[str, Any]:
        """{"attributes", "salt", "index", "path"} as wallets and the prover read it, 64 bits and more as decimals."""
        shown = {name: getattr(self.attributes, name) for name, _ in Attributes.LAYOUT}
        return {
            "attributes": {name: str(value) if name in _WIDE else value for name, value in shown.items()},
            "salt": str(self.salt),
            "index": self.index,
            "path": [str(node) for node in self.path],
        }


def witness(conn: Conn, vault: Vault, trees: Trees, member: str, *, number: int | None = None) -> Witness:
    """The member's witness in an epoch, the newest on the chain when none is named.

    Raises, in this order, `EpochNotInForce`, `NotEnrolled`, `NotYet`, `NotInEpoch`; and `OPERATORS_TROUBLE`.
    """
    epoch = in_force(conn, number)
    row = conn.execute(_LEAF, {"member": member, "epoch": epoch.epoch}, binary=True).fetchone()
    if row is None:
        raise _why_not(conn, member, epoch)
    place, commitment, attributes, blind = row
    salt = epoch_secrets.opened(conn, vault, epoch.epoch).salt(commitment, blind)
    assert epoch.signed is not None, "anchored epochs are signed"
    return Witness(
        epoch=epoch.epoch,
        commitment=int.from_bytes(commitment, "big"),
        attributes=Attributes.unpacked(int.from_bytes(attributes, "big")),
        salt=salt,
        index=place,
        path=trees.path_of(conn, vault, epoch, place),
        root=epoch.root_element,
        signed=epoch.signed,
    )


def in_force(conn: Conn, number: int | None = None) -> Epoch:
    """An epoch whose witnesses may be had, the newest when none is named. Raises `EpochNotInForce`."""
    epoch = rows.last_anchored(conn) if number is None else rows.epoch(conn, number)
    if epoch is None or epoch.state is not State.ANCHORED or epoch.revoked_at is not None:
        raise EpochNotInForce("no epoch is in force" if number is None else f"epoch {number} is not in force")
    return epoch


def _why_not(conn: Conn, member: str, epoch: Epoch) -> NoWitness:
    keys = commitments.keys_of(conn, member)
    held = commitments.current(keys, EPOCH_NO_MAX)
    if held is None:
        return NotEnrolled(f"{member} has no commitment")
    if commitments.current(keys, epoch.epoch) is None:
        return NotYet(f"the commitment of {member} takes effect in epoch {held.from_epoch}")
    return NotInEpoch(f"{member} is not in epoch {epoch.epoch}")
