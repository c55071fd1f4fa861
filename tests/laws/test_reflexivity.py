"""Reflexivity: a file does not differ from itself, nor from a copy of it, in any way of looking."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import ConversionError


@pytest.fixture
def copy(golden: Path, tmp_path: Path) -> Path:
    """The same model at another place."""
    shutil.copytree(golden.parent, tmp_path / "copy")
    return tmp_path / "copy" / golden.name


def test_a_model_does_not_differ_from_itself(golden: Path) -> None:
    assert modelfmt.diff(golden, golden) == []


def test_a_model_does_not_differ_from_its_copy(golden: Path, copy: Path) -> None:
    assert modelfmt.diff(golden, copy) == []
    assert modelfmt.diff(golden, copy, rtol=1e-6, atol=1e-6) == []
    assert modelfmt.diff(golden, copy, bytes=True) == []


def test_nor_in_inference_form(golden: Path, copy: Path) -> None:
    try:
        assert modelfmt.diff(golden, copy, inference_form=True) == []
    except ConversionError:  # no row of layers
        with pytest.raises(ConversionError):
            modelfmt.diff(golden, golden, inference_form=True)


def test_two_spellings_of_a_graph_do_not_differ(graphdef: Path, tmp_path: Path) -> None:
    """Read anew from text, no node has the bytes that it had."""
    from modelfmt.tf.graphdef import write_graphdef

    spelled = tmp_path / f"again{'.pb' if graphdef.suffix == '.pbtxt' else '.pbtxt'}"
    with modelfmt.open(graphdef) as container:
        write_graphdef(container.graph, str(spelled), text=spelled.suffix == ".pbtxt")
    assert modelfmt.diff(graphdef, spelled) == []


def test_a_change_seen_from_the_other_side(golden: Path, golden_folder: Path) -> None:
    other = golden_folder / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"
    there = modelfmt.diff(golden, other)
    back = modelfmt.diff(other, golden)
    assert sorted((c.part, c.what) for c in there) == sorted(
        (c.part, c.swapped().what) for c in back
    )
    assert there.way.count("weights") == back.way.count("weights")
