"""The one table error -> status, and how a refusal looks to a caller: application/problem+json (RFC 9457).

Every code that any answer can carry has a row here, the ledger's refusals included; the ledger itself knows no HTTP.
`docs/errors.md` is generated from this table and a test provokes every row through the API.

Invariants: a code has one status for ever; a problem says in words what is wrong and points (RFC 6901) at the field to
blame, if there is one. A refusal that the ledger remembers is the same bytes each time it is asked for, so it names no
request: the request's id travels in the X-Request-Id header, and in the body only where the answer is not remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from api.problems import configuring, earning, moving, people, spending
from api.problems.door import DOOR
from api.problems.rows import Row
from api.problems.tiers import TIERS

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/errors#"


LEDGER: Mapping[str, Row] = {
    **earning.ROWS,
    **spending.ROWS,
    **moving.ROWS,
    **people.ROWS,
    **configuring.ROWS,
}
"""What the ledger refuses in the verbs that this API reaches; which verb in which order is in docs/ledger.md."""

CATALOGUE: Mapping[str, Row] = {**DOOR, **TIERS, **LEDGER}


class Pointed(msgspec.Struct, frozen=True):
    """One thing to blame: a JSON pointer into the body, or `#header/...`, `#query/...`, `#path/...` outside it."""

    pointer: str
    code: str
    message: str


class ProblemOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document. `data` has both sides of a mismatch; a remembered refusal has no `request_id`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    errors: Sequence[Pointed] = ()
    data: Mapping[str, int | str] = {}


@dataclass(slots=True, eq=False)
class Problem(Exception):
    """A request is refused. `code` is a row of the catalogue; `headers` go out with the answer."""

    code: str
    detail: str
    errors: Sequence[Pointed] = ()
    data: Mapping[str, int | str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return CATALOGUE[self.code].status


def render(problem: Problem, *, instance: str, request_id: str | None = None) -> bytes:
    """The document in declared field order, so that equal problems are equal bytes."""
    row = CATALOGUE[problem.code]
    document = ProblemOut(
        type=TYPE_BASE + problem.code,
        title=row.title,
        status=row.status,
        detail=problem.detail,
        instance=instance,
        code=problem.code,
        request_id=msgspec.UNSET if request_id is None else request_id,
        errors=problem.errors,
        data=problem.data,
    )
    return msgspec.json.encode(document)


def invalid(pointer: str, message: str, *, code: str = "field-invalid") -> Problem:
    """A field that cannot be read as what it must be."""
    return Problem(code, f"{pointer}: {message}.", (Pointed(pointer, code, message),))
