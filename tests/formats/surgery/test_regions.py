"""Regions: files tiled without gaps, by what stands in them."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.storage.files import SourceFile
from modelfmt.surgery.regions import Region, files_of, regions_of

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"


def tiled(path: Path) -> dict[str, list[Region]]:
    """The regions of each file, which must fill it."""
    found = {}
    with modelfmt.open(path) as container:
        for name, file in files_of(container).items():
            with SourceFile(file) as source:
                regions = regions_of(container, name, source)
                assert [r.offset for r in regions] == [0, *(r.end for r in regions[:-1])]
                assert regions[-1].end == source.size and all(r.length > 0 for r in regions)
                found[name] = regions
    return found


def labels(regions: list[Region]) -> set[str]:
    return {region.label for region in regions}


def test_a_graph() -> None:
    path = GOLDEN / "graphdef" / "tfkeras-tf2.15.1-multi_input" / "model.pb"
    (regions,) = tiled(path).values()
    found = labels(regions)
    with modelfmt.open(path) as container:
        assert {f'node "{name}"' for name in container.graph} <= found
    assert "versions" in found and any(label.endswith(', attr "dtype"') for label in found)


def test_functions() -> None:
    path = GOLDEN / "graphdef" / "rawtf2.21.0-module_control_v2cf" / "model.pb"
    (regions,) = tiled(path).values()
    with modelfmt.open(path) as container:
        assert {f'function "{name}"' for name in container.graph.functions} <= labels(regions)


def test_a_text_graph() -> None:
    path = GOLDEN / "graphdef" / "rawtf1.0.1-raw_convnet_text" / "model.pbtxt"
    (regions,) = tiled(path).values()
    text = path.read_text()
    with modelfmt.open(path) as container:
        for name in container.graph:
            region = next(r for r in regions if r.label == f'node "{name}"')
            block = text[region.offset : region.end]
            assert block.startswith("node {\n") and block.endswith("\n}")
            assert block.count(f'\n  name: "{name}"\n') == 1


@pytest.mark.parametrize("out", ["m.meta", "saved"])
def test_models_with_variables(out: str, tmp_path: Path) -> None:
    modelfmt.convert(CNN, tmp_path / out)
    found = tiled(tmp_path / out)
    main = labels(found[".meta" if out == "m.meta" else "saved_model.pb"])
    assert 'signature "serving_default"' in main and "meta_info_def" in main
    assert any(label.startswith('node "fc/') for label in main)
    (index,) = (r for name, r in found.items() if name.endswith(".index"))
    (data,) = (r for name, r in found.items() if ".data-" in name)
    assert 'entry "fc/kernel"' in labels(data) & labels(index)
    assert "the bundle's header" in labels(index)


def test_slices_of_a_checkpoint() -> None:
    folder = GOLDEN / "checkpoint" / "rawtf1.15.5-raw_partitioned_sharded"
    found = tiled(next(folder.glob("*.index")).with_suffix(""))
    data = [r for name, r in found.items() if ".data-" in name]
    assert len(data) > 1
    assert any(" [" in label for regions in data for label in labels(regions))


def test_hdf5() -> None:
    (regions,) = tiled(CNN).values()
    region = next(r for r in regions if r.label == 'dataset "model_weights/fc/fc/bias:0"')
    with modelfmt.open(CNN) as container:
        bias = container.tensors["model_weights/fc/fc/bias:0"].numpy().tobytes()
    assert CNN.read_bytes()[region.offset : region.end] == bias


def test_an_archive() -> None:
    path = GOLDEN / "keras" / "keras3.0.5-tf2.16.2-multi_output" / "model.keras"
    (regions,) = tiled(path).values()
    found = labels(regions)
    assert {'member "config.json"', 'member "model.weights.h5"'} <= found
    assert any(label.startswith('dataset "') for label in found)
    config = next(r for r in regions if r.label == 'member "config.json"')
    assert path.read_bytes()[config.offset : config.end].startswith(b"{")
