"""The machine that runs a `program` over many rows, as LLVM's text: 256-bit values, Montgomery's reduction, two loops.

    i64 hash_rows(steps, steps.count, constants, in, inputs, out, rows)

`in` holds rows of `inputs` elements, `out` one hash a row, 32 bytes each, the most significant first. The answer is the
number of rows that were hashed: `rows`, or the number of the first that holds no element of the field.

Invariants: nothing is allocated, nothing global is written, so any number of threads may be in it; every access lies
within what the caller gave or within the tape, as long as the steps are those of a `Program`. Products of limbs on one
diagonal lie beside each other in 512 bits and never meet, so a product is seven additions. Called by `compiled` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proofs.poseidon.grain import R
from proofs.poseidon.program import VALUES_MAX, WORD_BITS

LIMB_BITS: Final = 64
LIMBS: Final = WORD_BITS // LIMB_BITS
NAME: Final = "hash_rows"

_LIMB_MASK: Final = 2**LIMB_BITS - 1
_NEGATIVE_INVERSE: Final = pow(-R, -1, 2**LIMB_BITS)

_HASH_ROWS: Final = """
declare i256 @llvm.bswap.i256(i256)

define i64 @{name}(ptr %steps, i64 %steps.count, ptr %constants, ptr %in, i64 %inputs, ptr %out, i64 %rows) {{
entry:
  %tape = alloca [{values} x i256], align 32
  br label %row.next

row.next:
  %row = phi i64 [ 0, %entry ], [ %row.more, %row.done ]
  %row.any = icmp ult i64 %row, %rows
  br i1 %row.any, label %row.begin, label %end

row.begin:
  %first = mul i64 %row, %inputs
  br label %input.next

input.next:
  %at = phi i64 [ 0, %row.begin ], [ %at.more, %input.kept ]
  %at.any = icmp ult i64 %at, %inputs
  br i1 %at.any, label %input.read, label %step.next

input.read:
  %place = add i64 %first, %at
  %input.from = getelementptr [32 x i8], ptr %in, i64 %place
  %input.swapped = load i256, ptr %input.from, align 1
  %input = call i256 @llvm.bswap.i256(i256 %input.swapped)
  %input.fits = icmp ult i256 %input, {order}
  br i1 %input.fits, label %input.kept, label %end

input.kept:
  %input.to = getelementptr [32 x i8], ptr %tape, i64 %at
  store i256 %input, ptr %input.to, align 8
  %at.more = add i64 %at, 1
  br label %input.next

step.next:
  %step = phi i64 [ 0, %input.next ], [ %step.more, %step.done ]
  %to.at = add i64 %inputs, %step
  %to = getelementptr [32 x i8], ptr %tape, i64 %to.at
  %step.any = icmp ult i64 %step, %steps.count
  br i1 %step.any, label %step.read, label %row.done

step.read:
  %words = getelementptr [4 x i32], ptr %steps, i64 %step
  %words.1 = getelementptr i32, ptr %words, i64 1
  %words.2 = getelementptr i32, ptr %words, i64 2
  %words.3 = getelementptr i32, ptr %words, i64 3
  %begin = load i32, ptr %words.2, align 4
  %from = getelementptr [32 x i8], ptr %tape, i32 %begin
  %count = load i32, ptr %words.3, align 4
  %is.box = icmp slt i32 %count, 0
  br i1 %is.box, label %step.box, label %step.dot

step.box:
  call void @box(ptr %from, ptr %to)
  br label %step.done

step.dot:
  %row.at = load i32, ptr %words, align 4
  %factors = getelementptr [32 x i8], ptr %constants, i32 %row.at
  %added.at = load i32, ptr %words.1, align 4
  %added = getelementptr [32 x i8], ptr %constants, i32 %added.at
  call void @dot(ptr %factors, ptr %from, i32 %count, ptr %added, ptr %to)
  br label %step.done

step.done:
  %step.more = add i64 %step, 1
  br label %step.next

row.done:
  %last = getelementptr i8, ptr %to, i64 -32
  %hash = load i256, ptr %last, align 8
  %hash.swapped = call i256 @llvm.bswap.i256(i256 %hash)
  %hash.to = getelementptr [32 x i8], ptr %out, i64 %row
  store i256 %hash.swapped, ptr %hash.to, align 1
  %row.more = add i64 %row, 1
  br label %row.next

end:
  ret i64 %row
}}
"""

_BOX: Final = """
define internal void @box(ptr %from, ptr %to) {{
  %value = load i256, ptr %from, align 8
{lines}
  store i256 {fifth}, ptr %to, align 8
  ret void
}}
"""

_DOT: Final = """
define internal void @dot(ptr %factors, ptr %values, i32 %count, ptr %added, ptr %to) {{
entry:
  br label %next

next:
  %at = phi i32 [ 0, %entry ], [ %more, %term ]
  %sum = phi i512 [ 0, %entry ], [ {sum}, %term ]
  %any = icmp ult i32 %at, %count
  br i1 %any, label %term, label %done

term:
  %factor.at = getelementptr [32 x i8], ptr %factors, i32 %at
  %value.at = getelementptr [32 x i8], ptr %values, i32 %at
  %factor = load i256, ptr %factor.at, align 8
  %value = load i256, ptr %value.at, align 8
{term}
  %more = add i32 %at, 1
  br label %next

done:
  %constant = load i256, ptr %added, align 8
{done}
  store i256 {reduced}, ptr %to, align 8
  ret void
}}
"""


def assembly() -> str:
    """The module, for any machine whose words have the least significant byte first."""
    whole = _HASH_ROWS.format(name=NAME, values=VALUES_MAX, order=R)
    return whole + _box() + _dot()


def _box() -> str:
    to = _Lines("v")
    square = to.reduced(to.squared("0", "%value"))
    fourth = to.reduced(to.squared("0", square))
    fifth = to.reduced(to.product("0", fourth, "%value"))
    return _BOX.format(lines=to, fifth=fifth)


def _dot() -> str:
    term, done = _Lines("t"), _Lines("d")
    total = term.product("%sum", "%factor", "%value")
    reduced = done("add nuw i256 {}, %constant", done.reduced("%sum"))
    for multiple in (2 * R, R):
        less = done("sub i256 {}, {}", reduced, multiple)
        below = done("icmp ult i256 {}, {}", reduced, multiple)
        reduced = done("select i1 {}, i256 {}, i256 {}", below, reduced, less)
    return _DOT.format(sum=total, term=term, done=done, reduced=reduced)


class _Lines:
    """Lines of a block; each makes one value, whose name is answered."""

    def __init__(self, letter: str) -> None:
        self._letter = letter
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def __call__(self, form: str, *parts: object) -> str:
        name = f"%{self._letter}{len(self._lines)}"
        self._lines.append(f"  {name} = {form.format(*parts)}")
        return name

    def limbs(self, value: str) -> list[str]:
        """The four limbs of a value, the least significant first, each as 128 bits."""
        found = []
        for at in range(LIMBS):
            shifted = self("lshr i256 {}, {}", value, at * LIMB_BITS)
            found.append(self.wide(self("trunc i256 {} to i64", shifted)))
        return found

    def wide(self, limb: str) -> str:
        return self("zext i64 {} to i128", limb)

    def product(self, whole: str, one: str, other: str) -> str:
        """`whole` + one · other, 512 bits."""
        first, second = self.limbs(one), self.limbs(other)
        for offset in range(1 - LIMBS, LIMBS):
            whole = self("add nuw i512 {}, {}", whole, self._diagonal(first, second, offset))
        return whole

    def squared(self, whole: str, one: str) -> str:
        """`whole` + one²: what is beside the middle comes twice."""
        limbs, beside = self.limbs(one), "0"
        for offset in range(1, LIMBS):
            beside = self("add nuw i512 {}, {}", beside, self._diagonal(limbs, limbs, offset))
        twice = self("shl nuw i512 {}, 1", beside)
        middle = self("add nuw i512 {}, {}", whole, self._diagonal(limbs, limbs, 0))
        return self("add nuw i512 {}, {}", middle, twice)

    def _diagonal(self, first: Sequence[str], second: Sequence[str], offset: int) -> str:
        """Products of limb i with limb i + offset, each in its place: two limbs apart, so that none meets another."""
        whole = "0"
        for at in range(max(0, -offset), min(LIMBS, LIMBS - offset)):
            made = self("mul nuw i128 {}, {}", first[at], second[at + offset])
            placed = self("shl nuw i512 {}, {}", self("zext i128 {} to i512", made), (2 * at + offset) * LIMB_BITS)
            whole = self("or i512 {}, {}", whole, placed)
        return whole

    def reduced(self, whole: str) -> str:
        """A value that 2^256 times is `whole` modulo R (Montgomery): below whole / 2^256 + R, if that fits 256 bits."""
        low = [self("trunc i512 {} to i64", self("lshr i512 {}, {}", whole, at * LIMB_BITS)) for at in range(LIMBS)]
        for _ in range(LIMBS):
            low = self._limb_less(low)
        high = self("trunc i512 {} to i256", self("lshr i512 {}, {}", whole, WORD_BITS))
        for at, limb in enumerate(low):
            placed = self("shl nuw i256 {}, {}", self("zext i64 {} to i256", limb), at * LIMB_BITS)
            low[at] = placed if not at else self("or i256 {}, {}", low[at - 1], placed)
        return self("add nuw i256 {}, {}", high, low[-1])

    def _limb_less(self, low: Sequence[str]) -> list[str]:
        """Add the multiple of R that makes the lowest limb zero, and take that limb off."""
        factor = self.wide(self("mul i64 {}, {}", low[0], _NEGATIVE_INVERSE))
        carry, left = "", []
        for at, limb in enumerate(low):
            order = R >> at * LIMB_BITS & _LIMB_MASK
            made = self("add nuw i128 {}, {}", self("mul nuw i128 {}, {}", factor, order), self.wide(limb))
            if carry:
                made = self("add nuw i128 {}, {}", made, self.wide(carry))
            if at:
                left.append(self("trunc i128 {} to i64", made))
            carry = self("trunc i128 {} to i64", self("lshr i128 {}, {}", made, LIMB_BITS))
        return [*left, carry]
