"""A fuzzer reads the OpenAPI document and sends what it allows and what it forbids: no 500, no unannounced answer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from api import published
from api.app import create_app
from api.door import Door
from api.parse import BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX
from api.tiers import passes, rows
from api.tiers.rows import Partner
from ledger.commands import Enrol
from ledger.member_history import person
from proofs.accounts import OPERATOR_ID
from proofs.tier.grid import PolicyGrid
from tests.api.conftest import TEA, KeyMaker

EXAMPLES_MAX = 15
TOO_LARGE = 413
UNAVAILABLE = 503
UNOPENED = {"/v1/batches/{batch_no}/mine"}
"""What a server without a key for batches, as this one is, has to say it cannot open."""
# JSON Schema takes 1.0 for an integer and knows no clock; we refuse both. Every operation is called without a key in
# test_errors; that check here would send the key's header twice.
NOT_CHECKED = [ignored_auth, positive_data_acceptance]
# A batch answers 200 whatever its events are; each has its own result (test_bodies compares them with single ones).
NOT_OF_BATCHES = [*NOT_CHECKED, negative_data_rejection]
OF_THE_OPERATOR = ("/v1/partners", "/v1/epochs", "/v1/tier-refusals", "/v1/alerts", "/v1/settlement")
"""Opened by the operator's key alone."""
UNASKED = ("/health/", "/v1/verification-key")
PATHS: dict[str, Any] = json.loads(published.openapi_json())["paths"]
OPERATIONS = [
    (path, method, mode)
    for path, methods in PATHS.items()
    for method in methods
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or not path.startswith(UNASKED)  # of which nothing wrong can be asked
]


def credentials(door: Door, new_key: KeyMaker, path: str, method: str) -> str:
    """What opens the operation, by who may come in: a merchant's key, or the pass of its customer or of a partner."""
    [allowed] = PATHS[path][method]["security"] or [{"merchant": []}]
    holder = next(iter(allowed))
    if holder == "merchant":
        return new_key(OPERATOR_ID if path.startswith(OF_THE_OPERATOR) else TEA)
    door.poster.post([Enrol(key="fuzz", at_ms=0, member="m")])
    grid, address = PolicyGrid(), bytes(20)
    with door.pool.connection() as connection, connection.transaction():
        who = person(connection, "m")
        assert who is not None
        rows.register(connection, Partner(1, "fuzz.example", address, grid, 1_000, 3, door.now()))
        token, _ = passes.issue(
            connection,
            holder="member" if holder == "member" else "partner",
            holder_id=who.account if holder == "member" else 1,
            environment="test",
            issued_by=TEA,
            now=door.now(),
            lasts=timedelta(hours=1),
        )
    return token


# A pool opens its connections in threads of its own and draws their lifetimes from the global generator. Where that
# falls into a drawing of the fuzzer's, Hypothesis takes it for a strategy's; no strategy here is ours.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_the_api_keeps_to_its_document(
    door: Door, new_key: KeyMaker, path: str, method: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_asgi("/openapi.json", create_app(door))[path][method]
    headers = {"Authorization": f"Bearer {credentials(door, new_key, path, method)}"}

    bytes_max = BATCH_BODY_BYTES_MAX if path.endswith("/batch") else BODY_BYTES_MAX
    left_out = NOT_OF_BATCHES if path.endswith("/batch") else NOT_CHECKED

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES_MAX, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def fuzz(case: Case[Any]) -> None:
        response = case.call(headers=headers)
        # The fuzzer knows what a body must be, not how large it may be: too large is refused as that, and only then.
        too_large = response.status_code == TOO_LARGE
        sent = response.request.body
        assert not too_large or (isinstance(sent, bytes) and len(sent) > bytes_max), path
        excluded = [*left_out, negative_data_rejection] if too_large else left_out
        if path in UNOPENED and response.status_code == UNAVAILABLE:
            assert response.json()["code"] == "batch-unopened", response.text
            excluded = [*excluded, not_a_server_error]
        case.validate_response(response, headers=headers, excluded_checks=excluded)

    fuzz()
