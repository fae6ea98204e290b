"""What a run remembers of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.demo.run import OtherAlliance, keep_currency


def test_one_folder_settles_in_one_currency(tmp_path: Path) -> None:
    kept = tmp_path / "currency"
    kept.touch()
    keep_currency(kept, "GBP")
    keep_currency(kept, "GBP")
    with pytest.raises(OtherAlliance, match="settles in GBP, the file in EUR"):
        keep_currency(kept, "EUR")
