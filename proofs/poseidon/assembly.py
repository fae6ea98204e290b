"""The machine that runs a `program` over many rows, as LLVM's text: 256-bit values, Montgomery's reduction, two loops.

    i64 hash_rows(steps, steps.count, constants, in, inputs, out, rows)

`in` holds rows of `inputs` elements, `out` one hash a row, 32 bytes each, the most significant first. The answer is the
number of rows that were hashed: `rows`, or the number of the first that holds no element of the field.

Invariants: nothing is allocated, nothing global is written, so any number of threads may be in it; every access lies
within what the caller gave or within the tape, as long as the steps are those of a `Program`. The product of two limbs
with two limbs added fits 128 bits, so no carry is lost. Called by `compiled` alone.
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
    square = to.reduced(to.product("%value", "%value"))
    fourth = to.reduced(to.product(square, square))
    fifth = to.reduced(to.product(fourth, "%value"))
    return _BOX.format(lines=to, fifth=fifth)


def _dot() -> str:
    term, done = _Lines("t"), _Lines("d")
    total = term("add nuw i512 %sum, {}", term.product("%factor", "%value"))
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

    def product(self, one: str, other: str) -> str:
        """The product of two values, 512 bits: limb by limb, each row added to what the rows before left."""
        first, second = self._limbs(one), self._limbs(other)
        found: list[str] = []
        for at, factor in enumerate(map(self._wide, second)):
            row, carry = [], ""
            for place, limb in enumerate(first):
                so_far = found[at + place] if at else ""
                low, carry = self._added(self("mul nuw i128 {}, {}", self._wide(limb), factor), so_far, carry)
                row.append(low)
            found = [*found[:at], *row, carry]
        return self._joined(found)

    def reduced(self, whole: str) -> str:
        """A value that 2^256 times is `whole` modulo R (Montgomery): below whole / 2^256 + R, if that fits 256 bits."""
        low = self._limbs(whole, 2 * WORD_BITS)[:LIMBS]
        for _ in range(LIMBS):
            low = self._limb_less(low)
        high = self("trunc i512 {} to i256", self("lshr i512 {}, {}", whole, WORD_BITS))
        return self("add nuw i256 {}, {}", high, self._joined(low))

    def _limb_less(self, low: Sequence[str]) -> list[str]:
        """Add the multiple of R that makes the lowest limb zero, and take that limb off."""
        factor = self._wide(self("mul i64 {}, {}", low[0], _NEGATIVE_INVERSE))
        left, carry = [], ""
        for at, limb in enumerate(low):
            order = R >> at * LIMB_BITS & _LIMB_MASK
            made, carry = self._added(self("mul nuw i128 {}, {}", factor, order), limb, carry)
            left.append(made)
        return [*left[1:], carry]

    def _added(self, product: str, *limbs: str) -> tuple[str, str]:
        """A product of limbs with up to two limbs added: its lower limb and its upper one."""
        for limb in filter(None, limbs):
            product = self("add nuw i128 {}, {}", product, self._wide(limb))
        upper = self("lshr i128 {}, {}", product, LIMB_BITS)
        return self("trunc i128 {} to i64", product), self("trunc i128 {} to i64", upper)

    def _limbs(self, value: str, bits: int = WORD_BITS) -> list[str]:
        """The limbs of a value, the least significant first."""
        shifted = [self("lshr i{} {}, {}", bits, value, at) for at in range(0, bits, LIMB_BITS)]
        return [self("trunc i{} {} to i64", bits, each) for each in shifted]

    def _joined(self, limbs: Sequence[str]) -> str:
        """The value that has these limbs."""
        bits, whole = len(limbs) * LIMB_BITS, "0"
        for at, limb in enumerate(limbs):
            placed = self("shl nuw i{} {}, {}", bits, self("zext i64 {} to i{}", limb, bits), at * LIMB_BITS)
            whole = self("or i{} {}, {}", bits, whole, placed)
        return whole

    def _wide(self, limb: str) -> str:
        return self("zext i64 {} to i128", limb)
