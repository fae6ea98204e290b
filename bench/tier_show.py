"""One tier proof from a member's browser to everybody who may check it, and what each of them said.

    python -m bench.tier_show

Not a figure beside a peer but a record: an alliance on the embedded chain, an epoch anchored there, a proof made in
headless Chromium, taken by the API, by the partner's verifier on its own, by snarkjs and by the contract; refused the
second time and at another partner. The flow is the end-to-end test's (`tests.e2e.tier_show`).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from bench.conditions import arguments, keep, machine
from ledger.postgres.embedded import start as start_postgres
from settlement.embedded_chain.process import start as start_chain
from tests.conftest import migrate
from tests.e2e.tier_show import show
from tests.settlement.chain.tiny import SENDER

IDLE_SECONDS = 600


def main() -> int:
    """0 when everybody said what they should."""
    arguments(__doc__).parse_args()
    conditions = machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_postgres(Path(folder) / "postgres", durable=False) as server,
        start_chain(Path(folder) / "chain", fund=[SENDER.address], idle_s=IDLE_SECONDS) as node,
    ):
        dsn = server.ensure_database("show")
        migrate(dsn)
        place = Path(folder) / "show"
        place.mkdir()
        seen = show(dsn, node, place)
    print(json.dumps(seen, indent=1, ensure_ascii=False))
    print(f"kept in {keep('tier_show', {'conditions': conditions} | seen)}")
    once = (seen["own_verifier"], seen["snarkjs"], seen["api"], seen["chain"]) == (0, True, True, True)
    twice = "taken" in {seen["chain_again"], seen["chain_at_another_partner"]} or seen["api_again"] != "proof-refused"
    return 0 if once and not twice else 1


if __name__ == "__main__":
    sys.exit(main())
