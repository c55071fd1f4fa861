"""A layer of one's own, both directions: y = x @ w.

The Keras class that such a file comes from::

    class MatMulLayer(keras.layers.Layer):
        def __init__(self, rows=10, cols=5, **kwargs):
            super().__init__(**kwargs)
            self.rows, self.cols = rows, cols

        def build(self, input_shape):
            self.w = self.add_weight(name="w", shape=(self.rows, self.cols))

        def call(self, x):
            return keras.ops.matmul(x, self.w)

        def get_config(self):
            return {**super().get_config(), "rows": self.rows, "cols": self.cols}

Its codec is used with ``--custom``, whichever way a file goes:

    fmt convert model.h5 model.pb --custom examples/codecs/MatMulLayer.py
    fmt convert model.pb model.keras --custom examples/codecs/MatMulLayer.py
"""

import modelfmt
from modelfmt.layers import Derived, Input, Weight, op


@modelfmt.register_layer
class MatMulLayer(modelfmt.LayerCodec):
    """MatMulLayer.  y = x @ w

    Shapes:  x (batch, rows), w (rows, cols), y (batch, cols)
    Weights: w
    Nodes:   MatMul(x, w)
    """

    class_name = "MatMulLayer"
    # No ``module``: the class is found in ``custom_objects``, by its name alone. A class decorated
    # with register_keras_serializable(package="p") is "p>MatMulLayer": module = "p.layers".
    weights = ("w",)
    # What the graph does not say but the weight's shape does.
    config = {
        "rows": Derived(lambda shapes, config: shapes["w"][0]),
        "cols": Derived(lambda shapes, config: shapes["w"][1]),
    }
    template = op("MatMul", Input(rank=2), Weight("w"), transpose_a=False, transpose_b=False)
