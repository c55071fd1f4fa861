"""Operations of Keras 3 (keras.ops): entries of a config that are no layers.

A .keras file states each one's module; a .h5 file gives its class name alone (``Multiply``,
``Relu``), which is why Keras cannot load what it wrote. Read off keras 3.15.1; what is not listed
here is in ``keras.src.ops.numpy``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from modelfmt.keras.accepted import words
from modelfmt.network import OPERATIONS, Layer

_TABLE = """
core: Map Scan AssociativeScan Scatter ScatterUpdate Slice SliceUpdate Switch WhileLoop
  StopGradient ForiLoop Unstack Cast SaturateCast ConvertToTensor Cond VectorizedMap
einops: Rearrange
image: RGBToGrayscale RGBToHSV HSVToRGB Resize AffineTransform ExtractPatches MapCoordinates
  PadImages CropImages PerspectiveTransform GaussianBlur ElasticTransform ScaleAndTranslate
  SobelEdges SSIM
linalg: Cholesky CholeskyInverse Det Eig Eigh Inv LuFactor Norm Qr Solve SolveTriangular SVD
  Lstsq MatrixRank Pinv JVP
math: SegmentReduction SegmentSum SegmentMax SegmentMin SegmentProd TopK InTopK Logsumexp CDist
  ExtractSequences FFT FFT2 IFFT2 RFFT IRFFT STFT ISTFT Rsqrt Erf Erfc Erfinv Logdet
  ViewAsComplex ViewAsReal
nn: Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus
  LogSigmoid LeakyRelu HardSigmoid HardSilu Elu Selu Gelu Celu Glu TanhShrink HardTanh
  HardShrink Threshold Softmax LogSoftmax Sparsemax MaxPool AdaptiveMaxPool AveragePool
  AdaptiveAveragePool Conv DepthwiseConv SeparableConv ConvTranspose OneHot BinaryCrossentropy
  CategoricalCrossentropy SparseCategoricalCrossentropy MultiHot Moments BatchNorm CTCLoss
  CTCDecode Normalize PSNR DotProductAttention RMSNorm LayerNorm Polar Unfold Fold DepthToSpace
  SpaceToDepth
"""


#: The operations whose config says a dtype, as layers do; no layer has one of these names.
_TYPED = words(
    "Arange Array Cast ConvertToTensor Cumprod Cumsum EmptyLike Full FullLike Geomspace Linspace "
    "Logspace MultiHot Nancumprod Nancumsum OneHot OnesLike Prod SaturateCast View ZerosLike"
)


@cache
def _modules() -> dict[str, str]:
    found: dict[str, str] = {}
    module = ""
    for word in _TABLE.split():
        if word.endswith(":"):
            module = OPERATIONS + word[:-1]
        else:
            found[word] = module
    return found


def module_of(class_name: str) -> str:
    """The module in which Keras 3 keeps an operation's class."""
    return _modules().get(class_name, f"{OPERATIONS}numpy")


def is_unmarked(row: dict[str, Any]) -> bool:
    """Whether a Keras 3 config's entry without module is an operation: layers state a dtype, and
    the few operations that do so too are no layers' names.
    """
    config = row.get("config")
    if not isinstance(config, dict) or "module" in row or {"trainable", "layers"} & set(config):
        return False
    return "dtype" not in config or row.get("class_name") in _TYPED


def is_operation(layer: Layer) -> bool:
    """Whether this stands in the config, but is no ``Layer`` of Keras and has no weights."""
    return layer.is_operation
