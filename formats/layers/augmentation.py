"""Image augmentation: what changes images in training, and not at inference.

Two of these layers compute at inference as well: AutoContrast and
ContrastLimitedAdaptiveHistogramEqualization (contrast.py). Source: Keras,
layers/preprocessing/image_preprocessing; tf_keras, image_preprocessing.py.
"""

from __future__ import annotations

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.encoding import cast
from modelfmt.layers.registry import register_layer
from modelfmt.layers.regularization import VanishingCodec
from modelfmt.network import Layer

#: The layers of Keras 3 that make floats of integers at inference too.
_FLOATS = (
    "AugMix", "CutMix", "RandAugment", "RandomElasticTransform", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomPerspective", "RandomRotation", "RandomSharpness", "RandomShear",
    "RandomTranslation", "RandomZoom", "Solarization",
)  # fmt: skip
#: The layers of Keras 2 that do not.
_KEPT_BY_KERAS_2 = frozenset({"RandomHeight", "RandomWidth"})


class AugmentationCodec(VanishingCodec):
    """y = x, at inference; of integers as float32, where the layer makes floats of them."""

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        name = self.class_name
        floats = name not in _KEPT_BY_KERAS_2 if graph.keras_major == 2 else name in _FLOATS
        if floats or graph.dtype(inputs[0]).is_floating:
            return [cast(inputs[0], dtypes.float32, graph)]
        return list(inputs)

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """Keras 2 loses the mask here."""
        lost = graph.keras_major == 2
        return [None] if lost else super().masks(layer, inputs, outputs, graph)


for _name in (
    "AugMix", "CutMix", "Equalization", "MaxNumBoundingBoxes", "MixUp", "RandAugment",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
    "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
    "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom", "Solarization",
):  # fmt: skip
    register_layer(
        type(_name, (AugmentationCodec,), {"class_name": _name, "__doc__": f"{_name}.  y = x"})
    )
