"""The page on which anybody checks a receipt: one page and its scripts, which the browser runs.

Invariants: the scripts are those of `proofs/js`, byte for byte, and the page's own; nothing from another host runs, and
the page may speak to https nodes and to those on loopback, not to this server. Reads files once, at start. Mounted by
`api.app`.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

import proofs
from api.pages import TEMPLATES

router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src https: http://127.0.0.1:* http://localhost:*;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MODULES = ("chain", "keccak", "receipt", "signature", "words")
_PROOFS_JS = Path(proofs.__file__).parent / "js"
SCRIPTS = {
    "page.js": (TEMPLATES / "receipts_check.js").read_bytes(),
    **{f"{name}.js": (_PROOFS_JS / f"{name}.js").read_bytes() for name in _MODULES},
}
_PAGE = (TEMPLATES / "receipts_check.html").read_bytes()


@router.get("/receipts-check")
def receipts_check() -> Response:
    return Response(_PAGE, media_type="text/html", headers={"content-security-policy": POLICY})


@router.get("/receipts-check/{name}")
def script(name: str) -> Response:
    if name not in SCRIPTS:
        raise HTTPException(404)
    return Response(SCRIPTS[name], media_type="text/javascript")
