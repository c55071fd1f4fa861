"""Which keys a layer class accepts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from modelfmt.keras.accepted import accepted, is_built_in

_ASK = """
import json, sys
if sys.argv[1] == "3":
    import keras
else:
    import tf_keras as keras
L = keras.layers
layers = [L.Dense(2), L.Conv2D(2, 3), L.DepthwiseConv2D(3), L.Conv2DTranspose(2, 3),
          L.SeparableConv1D(2, 3), L.BatchNormalization(), L.LayerNormalization(), L.LSTM(2),
          L.GRU(2), L.SimpleRNN(2), L.ConvLSTM2D(2, 3), L.Embedding(3, 2), L.Dropout(0.5),
          L.SpatialDropout1D(0.5), L.GlobalAveragePooling2D(), L.MaxPooling1D(),
          L.MultiHeadAttention(2, 2), L.LeakyReLU(), L.ReLU(), L.PReLU(), L.Softmax(),
          L.ZeroPadding2D(), L.UpSampling2D(), L.Flatten(), L.Reshape((1,)), L.Permute((1, 2)),
          L.Bidirectional(L.LSTM(2)), L.TimeDistributed(L.Dense(2)), L.Concatenate(), L.Dot(1),
          L.Rescaling(2.0), L.Normalization(), L.Masking(), L.UnitNormalization()]
print(json.dumps({type(x).__name__: sorted(x.get_config()) for x in layers}))
"""


def test_rows_are_split_by_major() -> None:
    assert accepted("LeakyReLU", 2) == {"alpha", *(accepted("Add", 2) or ())}
    assert "negative_slope" in (accepted("LeakyReLU", 3) or ())
    assert accepted("ThresholdedReLU", 3) is None
    assert accepted("AutoContrast", 2) is None
    assert accepted("Mine", 3) is None and not is_built_in("Mine")
    assert is_built_in("ThresholdedReLU")
    assert "trainable" not in (accepted("SpatialDropout1D", 3) or {"trainable"})


@pytest.mark.oracle
@pytest.mark.parametrize("major", [2, 3])
def test_keras_writes_no_key_that_is_not_listed(major: int) -> None:
    env = {**os.environ, "TF_USE_LEGACY_KERAS": "1" if major == 2 else "0",
           "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", _ASK, str(major)], env=env, check=True,
                          capture_output=True, text=True, timeout=300)
    idle = {"implementation", "batch_input_shape", "query_shape", "key_shape", "value_shape"}
    missing = {
        (name, key)
        for name, keys in json.loads(done.stdout.splitlines()[-1]).items()
        for key in keys
        if key not in (accepted(name, major) or ()) and key not in idle
    }
    assert missing == set()
