"""Several small numbers in one field element, the first named in the lowest bits: what the circuit takes apart again.

Invariants: a value outside its bits is refused, so no number spills into its neighbour; one packed number has one
reading. Called by `proofs.tier.attributes` and `proofs.tier.policy`.
"""

from __future__ import annotations

from typing import ClassVar, Self


class PackingError(ValueError):
    """A value does not fit its place. `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class Packed:
    """Base of frozen, slotted dataclasses whose fields are those of `LAYOUT`, in order: name and bits."""

    __slots__ = ()

    LAYOUT: ClassVar[tuple[tuple[str, int], ...]]
    BITS: ClassVar[int]

    def __init_subclass__(cls) -> None:
        if "LAYOUT" in cls.__dict__:
            cls.BITS = sum(bits for _, bits in cls.LAYOUT)

    def __post_init__(self) -> None:
        for name, bits in self.LAYOUT:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise PackingError(name, f"a whole number is wanted, not {type(value).__name__}")
            if value < 0 or value >> bits:
                raise PackingError(name, f"does not fit {bits} bits")

    def packed(self) -> int:
        """All fields as one number of `BITS` bits."""
        whole, at = 0, 0
        for name, bits in self.LAYOUT:
            whole |= getattr(self, name) << at
            at += bits
        return whole

    @classmethod
    def unpacked(cls, whole: int) -> Self:
        """What `packed` made into `whole`. Raises `PackingError` for anything it never makes."""
        if type(whole) is not int or whole < 0 or whole >> cls.BITS:
            raise PackingError(cls.__name__.lower(), f"a whole number of {cls.BITS} bits is wanted")
        values = []
        for _, bits in cls.LAYOUT:
            values.append(whole & (1 << bits) - 1)
            whole >>= bits
        return cls(*values)
