"""Writes what is generated from the code: `docs/openapi.json` and `docs/errors.md`. `python -m api.published`.

A test compares the files with what this would write, so they cannot fall behind. Invariant: the text depends on the
code alone, not on time, machine or settings.
"""

from __future__ import annotations

import json
from pathlib import Path

from api.app import create_app
from api.problems import CATALOGUE

DOCS = Path(__file__).resolve().parent.parent / "docs"


def openapi_json() -> str:
    """The OpenAPI document, as a file."""
    return json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n"


def errors_md() -> str:
    """The catalogue of errors, as a page."""
    lines = [
        "# Errors",
        "",
        "Generated from `api/problems/` by `python -m api.published`. Every refusal is an `application/problem+json`",
        "document whose `code` is one of these. The door's own come first, in the order in which it looks; then the",
        "ledger's.",
        "",
        "| code | status | cause | remedy |",
        "|---|---|---|---|",
    ]
    for code, row in CATALOGUE.items():
        lines.append(f"| `{code}` | {row.status} {row.title} | {row.cause} | {row.remedy} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    (DOCS / "openapi.json").write_text(openapi_json(), encoding="utf-8")
    (DOCS / "errors.md").write_text(errors_md(), encoding="utf-8")


if __name__ == "__main__":
    main()
