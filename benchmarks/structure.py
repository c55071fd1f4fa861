"""How much of a model's structure comes back out of its frozen graph.

    python benchmarks/structure.py FOLDER [--show]

FOLDER holds cases, each a folder with a model file of Keras (model.h5 or model.keras) and a
frozen.pb of the same model. For each, the layers with weights of both are compared in inference
form: their classes in order, and their names up to the number that tracing adds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import modelfmt
from modelfmt.layers.inference import inference_form
from modelfmt.surgery.convert import network_of

Row = tuple[str, str]


def cases(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The model file and the frozen graph of every case that has both."""
    for frozen in sorted(folder.rglob("frozen.pb")):
        for name in ("model.h5", "model.keras"):
            if (model := frozen.with_name(name)).exists():
                yield model, frozen
                break


def layers(path: Path) -> list[Row]:
    """Class and name of each layer with weights, in the order in which the outputs need them."""
    with modelfmt.open(path) as container:
        forms = inference_form(network_of(container))
    return [(form.class_name, plain(form.name)) for form in forms if form.weights]


def plain(name: str) -> str:
    return re.sub(r"(_\d+)+$", "", name.replace("/", "_"))


def main(folder: str, *, show: bool) -> None:
    total = recognised = classes = names = 0
    for model, frozen in cases(Path(folder)):
        try:
            wanted = layers(model)
        except modelfmt.ModelFormatError:
            continue  # no question of recognition
        total += 1
        case = frozen.parent.relative_to(folder)
        try:
            found = layers(frozen)
        except modelfmt.ModelFormatError as error:
            if show:
                print(f"{case}: {str(error)[:150]}")
            continue
        recognised += 1
        same_classes = [c for c, _ in wanted] == [c for c, _ in found]
        same_names = [n for _, n in wanted] == [n for _, n in found]
        classes, names = classes + same_classes, names + same_names
        if show and not (same_classes and same_names):
            print(f"{case}: {wanted}\n{'':{len(str(case))}}  {found}")
    print(f"{total} cases, {recognised} recognised")
    for what, count in (("classes in order", classes), ("names in order", names)):
        shares = f"{count / max(recognised, 1):.3f} of the recognised, {count / max(total, 1):.3f}"
        print(f"same {what}: {count}, {shares} of all")


if __name__ == "__main__":
    main(sys.argv[1], show="--show" in sys.argv)
