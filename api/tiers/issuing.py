"""A pass is handed out: what a member's session and a partner's pass have in common at the door.

Invariant: a pass is of the same environment as the key by which it was opened, so a test key opens nothing live. Called
by `sessions` and `partners`.
"""

from __future__ import annotations

from datetime import timedelta

from api.auth import Caller
from api.door import Door
from api.keys import Environment
from api.shapes.tiers import PassOut
from api.tiers import passes
from api.tiers.passes import Connection, Holder


def handed_out(
    door: Door, connection: Connection, caller: Caller, *, holder: Holder, holder_id: int, lasts: timedelta
) -> PassOut:
    """A new pass, in its only copy. In the caller's transaction."""
    environment: Environment = "live" if caller.environment == "live" else "test"
    now = door.now()
    token, name = passes.issue(
        connection,
        holder=holder,
        holder_id=holder_id,
        environment=environment,
        issued_by=caller.merchant_id,
        now=now,
        lasts=lasts,
    )
    return PassOut(token=token, name=name, expires_at=(now + lasts).isoformat())
