"""Writes the edge vectors into proofs/vectors: `python -m tests.proofs.edges`. The same bytes at every call."""

from __future__ import annotations

from tests.proofs.edges.files import FILES, VECTORS, text_of


def main() -> None:
    """Write every file."""
    for name in FILES:
        (VECTORS / name).write_text(text_of(name))


if __name__ == "__main__":
    main()
