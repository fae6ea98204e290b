"""What every command carries. The commands' files build on it; nothing else lives here."""

from __future__ import annotations

from msgspec import Struct

from ledger.units import Key, Millis


class Command(Struct, frozen=True, kw_only=True, gc=False, tag_field="verb"):
    """What every command carries: its idempotency key, and when it happened (valid time)."""

    key: Key
    at_ms: Millis
