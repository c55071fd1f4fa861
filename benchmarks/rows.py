"""What is compared with what: one group, measured side by side, for each thing we do."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from measure import Command

HERE = Path(__file__).resolve().parent
SMALL = HERE.parent / "golden/keras-h5/tfkeras-tf2.15.1-nested/model.h5"
#: The target on memory, in MB, of every conversion of the 553 MB model.
PEAK = 250
#: And of the 14 MB model.
SMALL_PEAK = 150
#: And of the dump of a graph of 2,000 nodes, however large its constants are.
LARGE_GRAPH_PEAK = 100


@dataclasses.dataclass(frozen=True)
class Group:
    """Ours first, then what stands beside it.

    Attributes:
        title: what is done.
        commands: ours, then the others.
        at_most: (index, limit): ours takes at most ``limit`` times as long as that command.
        faster: (index, limit): ours is at least ``limit`` times faster than that command.
        wall: ours takes less than so many seconds.
        peak: ours stays below so many MB.
    """

    title: str
    commands: list[Command]
    at_most: tuple[int, float] | None = None
    faster: tuple[int, float] | None = None
    wall: float | None = None
    peak: int | None = None


def groups(work: Path) -> list[Group]:
    """All rows of the table, reading and writing in ``work``."""
    h5, keras, pb = work / "vgg16.h5", work / "vgg16.keras", work / "vgg16.pb"
    mobilenet = work / "mobilenetv2.h5"
    tensorflow = Command("import tensorflow", python("-c", "import tensorflow"), heavy=True)
    base = Command("import numpy, h5py, typer", python("-c", "import numpy, h5py, typer"))
    return [
        Group("import", [
            Command("import modelfmt", python("-c", "import modelfmt")),
            Command("python -c pass", python("-c", "pass")),
            tensorflow,
        ]),
        Group("help", [Command("fmt --help", fmt("--help")), base]),
        Group("dump, 41 kB .h5", [
            Command("fmt dump", fmt("dump", SMALL)), base, reference("h5py walk", "walk", SMALL),
        ], at_most=(1, 1.6)),
        Group("dump, VGG16 .h5", [
            Command("fmt dump", fmt("dump", h5)), reference("h5py walk", "walk", h5),
        ], peak=PEAK),
        Group("dump, VGG16 .pb", [
            Command("fmt dump", fmt("dump", pb)), tensorflow,
            reference("TensorFlow parse", "parse", pb, heavy=True),
        ], peak=PEAK),
        Group("dump, 2,000 nodes in 420 MB", [
            Command("fmt dump", fmt("dump", work / "large.pb")), tensorflow,
            reference("TensorFlow parse", "parse", work / "large.pb", heavy=True),
        ], faster=(2, 4), wall=0.6, peak=LARGE_GRAPH_PEAK),
        Group("dump, 100,000 nodes in 212 MB", [
            Command("fmt dump", fmt("dump", work / "many.pb")), tensorflow,
            reference("TensorFlow parse", "parse", work / "many.pb", heavy=True),
        ], at_most=(2, 1)),
        Group("VGG16 .h5 to .pb", [
            convert(h5, work / "out.pb"),
            freeze("Keras + TensorFlow", h5, work / "reference.pb"),
            *copies(h5, work / "copy.h5"),
        ], faster=(1, 10), peak=PEAK),
        Group("MobileNetV2 .h5 to .pb", [
            convert(mobilenet, work / "out.mobilenetv2.pb"),
            freeze("Keras + TensorFlow", mobilenet, work / "reference.mobilenetv2.pb"),
        ], faster=(1, 8), peak=SMALL_PEAK),
        Group("VGG16 .keras to .pb", [
            convert(keras, work / "out.keras.pb"),
            freeze("Keras + TensorFlow", keras, work / "reference.keras.pb"),
            *copies(keras, work / "copy.keras"),
        ], faster=(1, 10), peak=PEAK),
        Group("VGG16 .pb to .h5", [
            convert(pb, work / "out.h5"), *copies(pb, work / "copy.pb"),
        ], peak=PEAK),
    ]  # fmt: skip


def python(*arguments: object) -> list[str]:
    """This interpreter, with arguments."""
    return [sys.executable, *map(str, arguments)]


def fmt(*arguments: object) -> list[str]:
    """The console script beside this interpreter, as a user starts it."""
    return [str(Path(sys.executable).with_name("fmt")), *map(str, arguments)]


def convert(source: Path, destination: Path) -> Command:
    """Ours: the output is on disk (fsync of file and folder) when it ends."""
    return Command("fmt convert", fmt("convert", source, destination, "--force"), destination)


def freeze(label: str, source: Path, destination: Path) -> Command:
    """The frameworks' way; nothing is synced."""
    return Command(
        label, python(HERE / "reference.py", "freeze", source, destination), destination, heavy=True
    )


def copies(source: Path, destination: Path) -> list[Command]:
    """cp of the input: alone, and with the sync of the copy that ours does too."""
    synced = f'cp "{source}" "{destination}" && sync "{destination}"'
    return [
        Command("cp", ["cp", str(source), str(destination)], destination),
        Command("cp, then sync", ["sh", "-c", synced], destination),
    ]


def reference(label: str, task: str, *arguments: object, heavy: bool = False) -> Command:
    """A task of reference.py."""
    return Command(label, python(HERE / "reference.py", task, *arguments), heavy=heavy)
