"""Ways to provoke every error of the catalogue through the API, by subject.

Each makes the mistake that its row of the catalogue describes, on a `Stage`, and answers what the API said.
"""

from __future__ import annotations

from tests.api.ways import configuring, door, earning, moving, people, spending, tiers
from tests.api.ways.stage import Way

WAYS: dict[str, Way] = {
    **door.WAYS,
    **tiers.WAYS,
    **earning.WAYS,
    **spending.WAYS,
    **moving.WAYS,
    **people.WAYS,
    **configuring.WAYS,
}
