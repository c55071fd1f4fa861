"""transplant: between any two kinds; only the replaced elements and checksums differ."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import ConversionError, MissingError
from modelfmt.storage.output import OutputError, OutputExistsError
from modelfmt.surgery.transplant import MATCHES
from modelfmt.surgery.weight_names import named_weights

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
HOSTS = {
    "graphdef": GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb",
    "metagraph": GOLDEN / "metagraph/keras2.3.1-tf1.15.5-lstm_seq/model.ckpt.meta",
    "savedmodel": GOLDEN / "savedmodel/tfkeras-tf2.15.1-linear_regression/saved_model",
    "checkpoint": GOLDEN / "checkpoint/tfkeras-tf2.12.1-linear_regression/weights",
    "keras-h5": CNN,
    "keras-weights": GOLDEN / "keras-weights/keras3.3.3-tf2.16.2-cnn/model.weights.h5",
    "keras": GOLDEN / "keras/keras3.15.1-tf2.21.0-siamese/model.keras",
}


def values(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with modelfmt.open(path) as file:
        return {name: tensor.numpy().copy() for name, tensor in named_weights(file).items()}


def donor_npz(path: Path, weights: Mapping[str, Any]) -> Path:
    np.savez(path, **weights)
    return path


def files(path: Path) -> dict[str, bytes]:
    """Everything that a model consists of, by name without its stem."""
    if path.is_dir():
        return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    stem = path.name.removesuffix(".meta")
    found = [p for p in path.parent.iterdir() if p.is_file() and p.name.startswith(f"{stem}.")]
    if path.is_file() and path.suffix != ".meta":
        found = [path]
    return {p.name.removeprefix(stem): p.read_bytes() for p in found}


def test_names_of_the_goldens() -> None:
    for kind in HOSTS:
        assert modelfmt.dump(HOSTS[kind])["kind"] == kind


@pytest.mark.parametrize("kind", HOSTS)
def test_only_the_elements_and_checksums_differ(kind: str, tmp_path: Path) -> None:
    """The byte proof: of a host of each kind, one weight replaced."""
    host = tmp_path / "host" / HOSTS[kind].name
    shutil.copytree(HOSTS[kind].parent, host.parent)
    old = {name: value for name, value in values(host).items() if value.dtype == np.float32}
    name = max(old, key=lambda n: old[n].size)
    new = old[name] + np.float32(1)
    donor = donor_npz(tmp_path / "d.npz", {"new": new})
    out = tmp_path / "out" / host.name
    out.parent.mkdir()
    done = modelfmt.transplant(
        donor, host, out, names={name: "new"}, match="none", select=[name]
    )
    assert [graft.host for graft in done.grafts] == [name] and done.kind == kind
    made = values(out)
    assert (made[name] == new).all()
    assert all((made[n] == value).all() for n, value in old.items() if n != name)
    before, after = files(host), files(out)
    before.pop("checkpoint", None), after.pop("checkpoint", None)
    before.pop("fingerprint.pb", None), after.pop("fingerprint.pb", None)
    assert before.keys() == after.keys()
    differing = 0
    for key, data in before.items():
        assert len(data) == len(after[key])
        differing += sum(x != y for x, y in zip(data, after[key], strict=True))
    assert 0 < differing <= new.nbytes + 32


def test_a_tf1_checkpoint_into_a_keras_h5(tmp_path: Path) -> None:
    """A session's variables by name; the optimizer's are left, and the layers are bit-equal."""
    folder = GOLDEN / "metagraph/keras2.1.2-tf1.4.1-linear_regression"
    modelfmt.convert(
        folder / "model.ckpt.meta", tmp_path / "host.h5", keras=2, outputs=["line/BiasAdd"]
    )
    with modelfmt.open(tmp_path / "host.h5") as host:
        for name in host.tensors:
            host.tensors[name] = np.zeros(host.tensors[name].shape, np.float32)
        host.save(tmp_path / "zeros.h5")
    checkpoint = folder / "model.ckpt"
    done = modelfmt.transplant(checkpoint, tmp_path / "zeros.h5", tmp_path / "new.h5")
    assert not done.left_in_host
    assert not list(modelfmt.diff(tmp_path / "host.h5", tmp_path / "new.h5"))


def test_weights_layer_by_layer(tmp_path: Path) -> None:
    """A CNN's, one layer after the other, as a script would."""
    shutil.copy(CNN, tmp_path / "now.h5")
    layers = sorted({name.rpartition("/")[0] for name in values(CNN)})
    donor = donor_npz(tmp_path / "d.npz", {n: v * 2 for n, v in values(CNN).items()})
    for layer in layers:
        done = modelfmt.transplant(
            donor, tmp_path / "now.h5", tmp_path / "now.h5", select=[f"{layer}/*"], force=True
        )
        assert done.left_in_host == []
    made = values(tmp_path / "now.h5")
    assert all((made[n] == v * 2).all() for n, v in values(CNN).items())


def test_steps_mend_another_layout(tmp_path: Path) -> None:
    """A custom layer's ``w`` of shape (10, 5), stored the other way round in two halves."""
    w = np.arange(50, dtype=np.float32).reshape(10, 5)
    host = donor_npz(tmp_path / "d.npz", {"top": w.T[:, :4], "rest": w.T[:, 4:]})
    (tmp_path / "m.toml").write_text(
        '[[weights]]\nhost = "custom/w"\ndonor = ["top", "rest"]\n'
        "steps = [{concatenate = 1}, {transpose = true}]\n"
    )
    target = custom_layer_h5(tmp_path / "host.h5")
    with pytest.raises(ConversionError, match=r"custom/w is float32\[10, 5\], top \+ rest "):
        modelfmt.transplant(host, target, tmp_path / "x.h5", names={"custom/w": ["top", "rest"]})
    modelfmt.transplant(host, target, tmp_path / "out.h5", map=tmp_path / "m.toml")
    assert (values(tmp_path / "out.h5")["custom/w"] == w).all()


def custom_layer_h5(path: Path) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"custom"]
        group = file.create_group("custom")
        group.attrs["weight_names"] = [b"custom/w:0"]
        group["custom/w:0"] = np.zeros((10, 5), np.float32)
    return path


def test_a_graph_is_matched_by_its_layers(tmp_path: Path) -> None:
    """TensorFlow 2 freezes away the variables' names; the recognised layers have them."""
    host = GOLDEN / "graphdef/keras3.15.1-tf2.21.0-cnn/model.pb"
    donor = donor_npz(tmp_path / "d.npz", {"unrelated": np.zeros(3)})
    with pytest.raises(ConversionError, match="weights of the host get nothing"):
        modelfmt.transplant(donor, host, tmp_path / "x.pb")
    modelfmt.convert(host, tmp_path / "d.h5")
    with modelfmt.open(tmp_path / "d.h5") as file:
        for name in file.tensors:
            file.tensors[name] = file.tensors[name].numpy() + np.float32(1)
        file.save(tmp_path / "plus.h5")
    done = modelfmt.transplant(tmp_path / "plus.h5", host, tmp_path / "out.pb")
    assert "layers" in {graft.how for graft in done.grafts}
    assert not list(modelfmt.diff(tmp_path / "plus.h5", tmp_path / "out.pb", inference_form=True))


def test_a_dry_run_writes_nothing_and_its_map_says_the_same(tmp_path: Path) -> None:
    donor = donor_npz(tmp_path / "d.npz", {f"m/{n}": v + 1 for n, v in values(CNN).items()})
    plan = modelfmt.transplant(donor, CNN, tmp_path / "x.h5", dry_run=True)
    assert not (tmp_path / "x.h5").exists() and {g.how for g in plan.grafts} == {"name"}
    modelfmt.write_map(plan.entries, tmp_path / "m.toml")
    modelfmt.transplant(donor, CNN, tmp_path / "a.h5")
    modelfmt.transplant(donor, CNN, tmp_path / "b.h5", map=tmp_path / "m.toml")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert CNN.read_bytes() != (tmp_path / "a.h5").read_bytes()


def test_ways_to_match(tmp_path: Path) -> None:
    old = values(CNN)
    for match, names in (
        ("suffix", [f"x/y/{n}" for n in old]), ("order", [str(k) for k in range(len(old))]),
        ("shape", [str(k) for k in range(len(old))]),
    ):  # fmt: skip
        donor = donor_npz(
            tmp_path / f"{match}.npz",
            {name: v + 1 for name, v in zip(names, old.values(), strict=True)},
        )
        done = modelfmt.transplant(donor, CNN, tmp_path / f"{match}.h5", match=match)
        assert {g.how for g in done.grafts} == {match}
        made = values(tmp_path / f"{match}.h5")
        assert all((made[n] == v + 1).all() for n, v in old.items())
    with pytest.raises(OutputError, match="no such match"):
        modelfmt.transplant(CNN, CNN, tmp_path / "x.h5", match="luck")
    assert MATCHES[0] == "name"


def test_renamed_by_patterns(tmp_path: Path) -> None:
    donor = donor_npz(
        tmp_path / "d.npz", {f"net:{n.replace('/', '.')}": v + 1 for n, v in values(CNN).items()}
    )
    done = modelfmt.transplant(
        donor, CNN, tmp_path / "x.h5", rename={r"net:(\w+)\.(\w+)": r"\1/\2"}, match="name"
    )
    assert not done.left_in_host and not done.left_in_donor


def test_averages_for_the_weights(tmp_path: Path) -> None:
    weights: dict[str, Any] = dict(values(CNN))
    averaged = {f"{n}/ExponentialMovingAverage": v + 7 for n, v in weights.items() if "fc" in n}
    donor = donor_npz(tmp_path / "d.npz", {**weights, **averaged})
    modelfmt.transplant(donor, CNN, tmp_path / "x.h5", ema=True)
    made = values(tmp_path / "x.h5")
    assert all((made[n] == v + 7 * ("fc" in n)).all() for n, v in weights.items())
    with pytest.raises(MissingError, match="ends in /ExponentialMovingAverage"):
        modelfmt.transplant(CNN, CNN, tmp_path / "y.h5", ema=True)


def test_dtypes_disagree_unless_cast(tmp_path: Path) -> None:
    donor = donor_npz(tmp_path / "d.npz", {n: v.astype(np.float64) for n, v in values(CNN).items()})
    with pytest.raises(ConversionError, match=r"disagree in dtype or shape: .* Pass --cast"):
        modelfmt.transplant(donor, CNN, tmp_path / "x.h5")
    done = modelfmt.transplant(donor, CNN, tmp_path / "x.h5", cast=True)
    assert done.grafts[0].steps == ({"cast": "float32"},)
    assert not list(modelfmt.diff(CNN, tmp_path / "x.h5"))


def test_partial(tmp_path: Path) -> None:
    name, value = next(iter(values(CNN).items()))
    donor = donor_npz(tmp_path / "d.npz", {name: value + 1, "more": np.zeros(9, np.float32)})
    with pytest.raises(ConversionError, match=r"weights of the host get nothing.*--partial"):
        modelfmt.transplant(donor, CNN, tmp_path / "x.h5")
    done = modelfmt.transplant(donor, CNN, tmp_path / "x.h5", partial=True)
    assert done.left_in_donor == ["more"] and len(done.left_in_host) == len(values(CNN)) - 1


def test_names_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Did you mean"):
        modelfmt.transplant(CNN, CNN, tmp_path / "x.h5", names={"fc/kernal": "fc/kernel"})
    with pytest.raises(MissingError, match='no weight "fc/kernal"'):
        modelfmt.transplant(CNN, CNN, tmp_path / "x.h5", names={"fc/kernel": "fc/kernal"})
    with pytest.raises(MissingError, match="no weight of the host matches z"):
        modelfmt.transplant(CNN, CNN, tmp_path / "x.h5", select=["z*"])
    with pytest.raises(ConversionError, match="nothing of the donor fits"):
        donor = donor_npz(tmp_path / "d.npz", {"x": np.zeros(1)})
        modelfmt.transplant(donor, CNN, tmp_path / "x.h5", partial=True)
    assert not (tmp_path / "x.h5").exists()


def test_an_output_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("mine")
    with pytest.raises(OutputExistsError):
        modelfmt.transplant(CNN, CNN, tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_text() == "mine"


def test_names_that_dump_shows(tmp_path: Path) -> None:
    with modelfmt.open(CNN) as file:
        shown = next(name for name in file.tensors if "fc" in name and "kernel" in name)
        kernel = file.tensors[shown].numpy() + np.float32(1)
    donor = donor_npz(tmp_path / "d.npz", {"k": kernel})
    modelfmt.transplant(donor, CNN, tmp_path / "x.h5", names={shown: "k"}, partial=True)
    assert (values(tmp_path / "x.h5")["fc/kernel"] == kernel).all()
