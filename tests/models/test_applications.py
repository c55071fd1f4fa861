"""keras.applications: each net saved by Keras, converted to a frozen graph, judged by TensorFlow.

One net at a time, each in children of its own, its files gone afterwards: the whole sweep stays
below the memory and the disk of a small machine.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

import pytest

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

NAMES = [
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    *(f"DenseNet{depth}" for depth in (121, 169, 201)),
    *(f"EfficientNetB{number}" for number in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile"),
    *(f"ResNet{depth}{version}" for depth in (50, 101, 152) for version in ("", "V2")),
    *("VGG16", "VGG19", "Xception"),
]


def test_the_list_is_whole() -> None:
    keras = pytest.importorskip("keras")
    found = {name for name in dir(keras.applications) if name[0].isupper()}
    assert found == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_application(name: str, bench: Any) -> None:
    table = bench(3)
    table.make("application_models", freeze=False, only=name)
    try:
        # A net of ConvNeXt has layers that Keras' own .h5 cannot be loaded with again.
        before = "keras" if name.startswith("ConvNeXt") else "h5"
        size = (table.folder / f"{name}.{before}").stat().st_size / 1e6
        start = time.perf_counter()
        (verdict,) = table.convert([(before, "pb", 3)])
        took = time.perf_counter() - start
    finally:
        shutil.rmtree(table.folder)
    print(f"| {name} | .{before} | {size:.0f} MB | {verdict.error:.2g} | {took:.0f} s |")
    assert verdict.agrees, str(verdict)
