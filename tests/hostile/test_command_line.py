"""Hostile files on the command line: one line on stderr, the right exit status, nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GRAPH = "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"


def fmt(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelfmt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refused(status: int, *arguments: object) -> str:
    """Run, and return the one line that must be all the command says."""
    done = fmt(*arguments)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("fmt: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.pb"
    path.touch()
    assert str(path) in refused(3, "dump", path)
    refused(3, "convert", path, tmp_path / "out.h5")
    assert os.listdir(tmp_path) == ["empty.pb"]


def test_a_missing_file(tmp_path: Path) -> None:
    refused(3, "dump", tmp_path / "nowhere.h5")
    refused(3, "verify", tmp_path / "nowhere.h5", tmp_path / "nowhere.pb")


def test_a_folder(tmp_path: Path) -> None:
    refused(3, "dump", tmp_path)


def test_a_cut_graph(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pb"
    path.write_bytes((golden_folder / GRAPH).read_bytes()[:5000])
    line = refused(3, "convert", path, tmp_path / "out.keras")
    assert "expected" in line and "found" in line and "@0x" in line
    assert os.listdir(tmp_path) == ["cut.pb"]


def test_a_flipped_byte_in_a_checkpoint(case: Any, tmp_path: Path) -> None:
    folder = case("metagraph/keras2.1.2-tf1.4.1-linear_regression")
    data = folder / "model.ckpt.data-00000-of-00001"
    data.write_bytes(bytes(byte ^ 1 for byte in data.read_bytes()))
    line = refused(3, "convert", folder / "model.ckpt.meta", tmp_path / "out.pb")
    assert str(data) in line and "@0x" in line and 'entry "' in line and "crc32c" in line
    assert fmt("check", folder / "model.ckpt.meta").returncode == 1
    assert os.listdir(tmp_path) == ["case"]


def test_a_missing_shard(case: Any, tmp_path: Path) -> None:
    folder = case("checkpoint/rawtf1.15.5-raw_partitioned_sharded")
    (folder / "model.ckpt.data-00001-of-00003").unlink()
    for command in (["dump"], ["check"], ["extract", "-o", tmp_path / "parts"]):
        line = refused(3, *command, folder / "model.ckpt")
        assert "model.ckpt.data-00001-of-00003" in line
    assert os.listdir(tmp_path) == ["case"]


def test_a_saved_model_in_chunks(tmp_path: Path) -> None:
    (tmp_path / "saved_model.cpb").write_bytes(bytes.fromhex("83af70d10d884a3f"))
    assert "in chunks" in refused(3, "dump", tmp_path)
    assert "in chunks" in refused(3, "convert", tmp_path / "saved_model.cpb", tmp_path / "out.pb")
    assert os.listdir(tmp_path) == ["saved_model.cpb"]


def test_a_layer_without_codec(h5_model: Any, configs: Any, tmp_path: Path) -> None:
    path = h5_model(configs.functional(configs.dense(class_name="Cauldron")))
    assert "Cauldron" in refused(4, "convert", path, tmp_path / "out.pb")
    assert os.listdir(tmp_path) == [path.name]


def test_a_graph_that_no_layer_accounts_for(golden_folder: Path, tmp_path: Path) -> None:
    path = golden_folder / "graphdef/rawtf1.15.5-raw_strings/model.pb"
    assert "StringToHashBucketFast" in refused(4, "convert", path, tmp_path / "out.h5")
    assert os.listdir(tmp_path) == []


def test_a_name_that_would_paint_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "red\x1b[31m.pb"
    path.write_bytes(b"\x00")
    assert "\x1b" not in refused(3, "dump", path)


def test_a_custom_file_that_fails(golden_folder: Path, tmp_path: Path) -> None:
    for text in ("def", "1 / 0", "import nothing_of_this_name", "x = {}['key']", "pass", None):
        file = tmp_path / "custom.py"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        line = refused(3, "convert", golden_folder / GRAPH, tmp_path / "out.h5", "--custom", file)
        assert "custom.py" in line


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_leaves_the_old_file(golden_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    out.write_text("old")
    script = (
        "import os, modelfmt.tf.graphdef as g\n"
        "g.write_pieces = lambda *a: os.kill(os.getpid(), 9)\n"
        "import sys, modelfmt; modelfmt.convert(sys.argv[1], sys.argv[2], force=True)"
    )
    done = subprocess.run([sys.executable, "-c", script, golden_folder / GRAPH, out], check=False)
    assert done.returncode == -9
    assert out.read_text() == "old"
    assert all(p == out or p.name.startswith(".out.pb.") for p in tmp_path.iterdir())


def test_a_full_disk_is_an_error_of_ours(golden_folder: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    refused(2, "convert", golden_folder / GRAPH, "/dev/full", "--to", "graphdef", "--force")
