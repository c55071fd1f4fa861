"""Atomic files and folders."""

import os
from pathlib import Path

import pytest

from modelfmt.storage import output
from modelfmt.storage.output import OutputError, OutputExistsError, atomic_folder, atomic_output


class Crash(BaseException):
    """Not an Exception, as KeyboardInterrupt is none."""


def test_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_output(path) as out:
        out.file.write(b"new")
        out.file.flush()
        assert not path.exists()
        assert os.path.dirname(out.temporary) == str(tmp_path)
        assert os.path.basename(out.temporary).startswith(".out.")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_others_may_write_to_the_temporary(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "out") as out:
        Path(out.temporary).write_bytes(b"by name")
    assert (tmp_path / "out").read_bytes() == b"by name"


def test_crash_in_the_middle_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(Crash), atomic_output(path, force=True) as out:
        out.file.write(b"half")
        out.file.flush()
        raise Crash
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_data_are_on_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    fsync, replace = os.fsync, os.replace

    def logged_fsync(fd: int) -> None:
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(os, "replace", lambda *a: events.append("replace") or replace(*a))
    with atomic_output(tmp_path / "out") as out:
        out.file.write(b"x")
    assert events == ["file", "replace", "folder"]


def test_existing_output_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"--force") as caught, atomic_output(path):
        pytest.fail("work began")
    assert caught.value.exit_status == 2
    with atomic_output(path, force=True) as out:
        out.file.write(b"new")
    assert path.read_bytes() == b"new"


def test_folder_must_exist(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="does not exist") as caught,
        atomic_output(tmp_path / "no" / "out"),
    ):
        pytest.fail("work began")
    assert caught.value.exit_status == 2
    with pytest.raises(OutputError), atomic_folder(tmp_path / "no" / "out"):
        pytest.fail("work began")


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with (
            pytest.raises(OutputError, match="not a regular file"),
            atomic_output(place, force=True),
        ):
            pytest.fail("work began")


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "out"):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with atomic_output(tmp_path / "link", force=True) as out:
        out.file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_leftover_of_a_killed_run_is_no_obstacle(tmp_path: Path) -> None:
    leftover = tmp_path / f".out.{os.getpid()}.0.tmp"
    leftover.write_bytes(b"half")
    with atomic_output(tmp_path / "out") as out:
        out.file.write(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"
    assert leftover.read_bytes() == b"half"


def test_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model") as folder:
        os.mkdir(os.path.join(folder, "sub"))
        Path(folder, "sub", "part").write_bytes(b"1")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "sub" / "part").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("exchange", [True, False])
def test_folder_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(output.sys, "platform", "other")
    old = tmp_path / "model"
    old.mkdir()
    (old / "marker").write_bytes(b"old")
    with pytest.raises(OutputExistsError), atomic_folder(old, markers=["marker"]):
        pytest.fail("work began")
    with atomic_folder(old, force=True, markers=["marker"]) as folder:
        Path(folder, "fresh").write_bytes(b"new")
    assert os.listdir(old) == ["fresh"]
    assert os.listdir(tmp_path) == ["model"]


def test_crash_leaves_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(Crash), atomic_folder(tmp_path / "model", force=True) as folder:
        Path(folder, "half").write_bytes(b"")
        raise Crash
    assert os.listdir(tmp_path) == ["model"]
    assert os.listdir(tmp_path / "model") == []


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "diary").write_bytes(b"")
    with (
        pytest.raises(OutputError, match="diary"),
        atomic_folder(home, force=True, markers=["marker"]),
    ):
        pytest.fail("work began")
    with (
        pytest.raises(OutputError, match="not a folder"),
        atomic_folder(home / "diary", force=True),
    ):
        pytest.fail("work began")
