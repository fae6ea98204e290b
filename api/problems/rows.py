"""What one row of the catalogue of errors says. Data only; `api.problems` puts the rows together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue: the status, a short title, what brings it about and what to do then."""

    status: int
    title: str
    cause: str
    remedy: str
