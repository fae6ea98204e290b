"""Commands of the cycle: fees into cash, and what the chain moved. No behaviour."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.command import Command
from ledger.units import NETS_MAX, Name, NotNegative, Positive


class ChargeFees(Command, frozen=True, kw_only=True, gc=False, tag="charge_fees"):
    """The cycle's accrued fees move into cash, one FEE leg per merchant that has any."""

    cycle: Name


class Net(Struct, frozen=True):
    """What the chain moved for one party in AU: positive received, negative paid."""

    merchant_id: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    au: int


class SettleNets(Command, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="settle_nets"):
    """A settling batch was finalised: what the chain moved, strictly ascending by merchant, no zero, sum zero. With
    `recovered_in`: what of the batch's losses was repaid, restored or collected in that block of the chain.
    """

    batch_no: Positive
    recovered_in: NotNegative = 0
    nets: Annotated[tuple[Net, ...], Meta(max_length=NETS_MAX)]
