"""Files of a folder, from it."""

from __future__ import annotations

from pathlib import Path

from modelfmt.surgery.listing import files_below


def test_files_of_all_folders_sorted(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a/c/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert files_below(str(tmp_path)) == ["a/c/d", "a/z", "b"]
