"""Tables with other values: patched where the lengths stay."""

from __future__ import annotations

from pathlib import Path

from modelfmt.storage.files import SourceFile, piece_bytes
from modelfmt.storage.sstable import Table, write_table
from modelfmt.storage.table_edits import edited_table

ROWS = [(b"%04d" % k, b"value %d" % (k % 7)) for k in range(500)]


def table(path: Path, rows: list[tuple[bytes, bytes]]) -> bytes:
    data = b"".join(write_table(rows, block_size=512))
    path.write_bytes(data)
    return data


def edited(path: Path, values: dict[bytes, bytes]) -> bytes:
    with SourceFile(path) as file:
        return b"".join(map(piece_bytes, edited_table(Table(file), values)))


def test_nothing_changed(tmp_path: Path) -> None:
    data = table(tmp_path / "t", ROWS)
    assert edited(tmp_path / "t", {}) == data
    assert edited(tmp_path / "t", dict(ROWS[:3])) == data


def test_values_of_the_old_length_are_patched(tmp_path: Path) -> None:
    data = table(tmp_path / "t", ROWS)
    new = {b"0003": b"VALUE 3", b"0004": b"VALUE 4", b"0444": b"VALUE x"}
    made = edited(tmp_path / "t", new)
    wanted = b"".join(write_table([(k, new.get(k, v)) for k, v in ROWS], block_size=512))
    assert made == wanted  # checksums and all
    different = sum(a != b for a, b in zip(data, made, strict=True))
    assert different <= 3 * 6 + 2 * 4


def test_other_lengths_write_it_anew(tmp_path: Path) -> None:
    table(tmp_path / "t", ROWS)
    (tmp_path / "u").write_bytes(edited(tmp_path / "t", {b"0007": b"a longer value by far"}))
    with SourceFile(tmp_path / "u") as file:
        found = {row.key: bytes(row.value) for row in Table(file)}
    assert found == {**dict(ROWS), b"0007": b"a longer value by far"}
