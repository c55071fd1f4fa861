"""Run in a child process: TensorFlow 1 graphs that no Keras wrote, by hand, frozen.

    tf1_graphs.py TASK.json        {"folder": F}; the result goes to TASK.json.out

GRAPHS holds a function for each: from inputs by name to an output, in the words of bare
TensorFlow, of slim and contrib (spelled out, since TensorFlow 2 has neither) or of tf.layers. F
gets NAME.pb and NAME.npz as frameworks.py makes them, variables frozen as in TensorFlow 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="-1",
    TF_USE_LEGACY_KERAS="1",
)

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_v2_behavior()

Tensors = dict[str, Any]
GRAPHS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {}


def graph(**shapes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        GRAPHS[build.__name__] = (shapes, build)
        return build

    return register


def variable(name: str, *shape: int) -> Any:
    """Random values; positive ones for scales and variances."""
    positive = any(word in name for word in ("gamma", "variance", "scale"))
    start = (
        tf1.random_uniform_initializer(0.5, 1.5) if positive
        else tf1.random_uniform_initializer(-0.6, 0.6)
    )
    return tf1.get_variable(name, shape, tf.float32, start)


def conv(x: Any, filters: int, name: str, stride: int = 1, size: int = 3) -> Any:
    with tf1.variable_scope(name):
        kernel = variable("weights", size, size, x.shape[-1], filters)
        return tf1.nn.conv2d(x, kernel, strides=[1, stride, stride, 1], padding="SAME")


def statistics(channels: int) -> list[Any]:
    return [variable(n, channels) for n in ("beta", "gamma", "moving_mean", "moving_variance")]


# -- bare -----------------------------------------------------------------------------------------


@graph(x=[None, 6])
def bare_perceptron(x: Any) -> Any:
    hidden = tf1.nn.relu(tf.matmul(x, variable("w1", 6, 8)) + variable("b1", 8))
    hidden = tf1.nn.xw_plus_b(hidden, variable("w2", 8, 8), variable("b2", 8))
    kept = tf1.placeholder_with_default(tf.constant(1.0), [])
    hidden = tf1.nn.dropout(tf.nn.sigmoid(hidden), keep_prob=kept)
    return tf1.nn.softmax(tf.matmul(hidden, variable("w3", 5, 8), transpose_b=True), name="y")


@graph(x=[None, 8, 8, 3])
def bare_convnet(x: Any) -> Any:
    y = tf1.nn.bias_add(conv(x / 127.5 - 1.0, 6, "c1"), variable("bias", 6))
    beta, gamma, mean, variance = statistics(6)
    y = tf1.nn.relu(tf1.nn.batch_normalization(y, mean, variance, beta, gamma, 1e-4))
    y = tf1.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    y = tf.reshape(y, [-1, 4 * 4 * 6])
    return tf.nn.softmax(tf.matmul(y, variable("fc", 96, 4)) + variable("fb", 1, 4))


@graph(x=[None, 8, 8, 4])
def bare_old_normalization(x: Any) -> Any:
    beta, gamma, mean, variance = statistics(4)
    y = tf1.nn.batch_norm_with_global_normalization(x, mean, variance, beta, gamma, 1e-3, True)
    return tf.nn.relu6(y)


@graph(x=[None, 5, 4])
def bare_formulas(x: Any) -> Any:
    beta, gamma, mean, variance = statistics(4)
    y = gamma * (x - mean) / tf.sqrt(variance + 1e-5) + beta
    y = tf.maximum(y, 0.2 * y)
    y = y * tf.sigmoid(y)
    y = 0.5 * y * (1.0 + tf1.erf(y / np.sqrt(2.0)))
    y = tf.where(y > 0, y, 0.7 * (tf.exp(y) - 1.0))
    return tf.minimum(tf.maximum(y, 0.0), 2.0)


@graph(x=[None, 6])
def bare_highway(x: Any) -> Any:
    gate = tf.sigmoid(tf.matmul(x, variable("wt", 6, 6)) + variable("bt", 6))
    y = tf.tanh(tf.matmul(x, variable("wh", 6, 6)) + variable("bh", 6))
    return y * gate + x * (1.0 - gate)


@graph(a=[None, 7], b=[None, 7])
def bare_siamese(a: Any, b: Any) -> Any:
    w, bias = variable("w", 7, 5), variable("b", 5)
    left, right = (tf1.nn.l2_normalize(tf.matmul(x, w) + bias, 1) for x in (a, b))
    return tf.reduce_sum(left * right, 1, keepdims=True)


@graph(x=[None, 9, 9, 4])
def bare_prelu(x: Any) -> Any:
    alpha = variable("alpha_scale", 4) * 0.3
    y = conv(x, 4, "c")
    y = tf.maximum(0.0, y) + alpha * tf.minimum(0.0, y)
    return tf.nn.relu(y) + variable("slope", 4) * (y - tf.abs(y)) * 0.5


@graph(x=[None, 6])
def bare_attention_of_features(x: Any) -> Any:
    scores = tf.exp(tf.matmul(x, variable("w", 6, 6)))
    share = scores / tf.reduce_sum(scores, 1, keepdims=True)
    return x * share


# -- slim and contrib -----------------------------------------------------------------------------


def slim_conv(x: Any, filters: int, name: str, stride: int = 1, size: int = 3) -> Any:
    y = conv(x, filters, name, stride, size)
    with tf1.variable_scope(f"{name}/BatchNorm"):
        beta, gamma, mean, variance = statistics(filters)
        y = tf1.nn.fused_batch_norm(
            y, gamma, beta, mean, variance, epsilon=1e-3, is_training=False
        )[0]
    return tf1.nn.relu6(y)


@graph(input=[None, 16, 16, 3])
def slim_mobilenet(input: Any) -> Any:
    with tf1.variable_scope("MobilenetV1"):
        y = slim_conv(input, 6, "Conv2d_0", 2)
        with tf1.variable_scope("Conv2d_1_depthwise"):
            kernel = variable("depthwise_weights", 3, 3, 6, 1)
            y = tf1.nn.depthwise_conv2d(y, kernel, [1, 1, 1, 1], "SAME")
            beta, gamma, mean, variance = statistics(6)
            y = tf1.nn.relu6(tf1.nn.fused_batch_norm(
                y, gamma, beta, mean, variance, epsilon=1e-3, is_training=False
            )[0])
        y = slim_conv(y, 8, "Conv2d_1_pointwise", 1, 1)
        y = tf1.nn.avg_pool(y, [1, 8, 8, 1], [1, 1, 1, 1], "VALID", name="AvgPool_1a")
        y = conv(y, 5, "Conv2d_1c_1x1", 1, 1) + variable("biases", 5)
        y = tf.squeeze(y, [1, 2], name="SpatialSqueeze")
    return tf1.nn.softmax(y, name="Predictions")


@graph(x=[None, 8, 8, 4])
def slim_resnet_v2(x: Any) -> Any:
    with tf1.variable_scope("preact"):
        beta, gamma, mean, variance = statistics(4)
        y = tf1.nn.relu(tf1.nn.fused_batch_norm(
            x, gamma, beta, mean, variance, epsilon=1e-5, is_training=False
        )[0])
    shortcut = conv(y, 8, "shortcut", 1, 1) + variable("shortcut_biases", 8)
    y = slim_conv(y, 8, "conv1")
    y = conv(y, 8, "conv2") + variable("biases", 8)
    return tf.reduce_mean(shortcut + y, [1, 2], keepdims=True, name="pool5")


@graph(x=[None, 6, 6, 4])
def contrib_layer_norm(x: Any) -> Any:
    mean, variance = tf1.nn.moments(x, [1, 2, 3], keepdims=True)
    beta, gamma = variable("beta", 4), variable("gamma", 4)
    return tf1.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)


@graph(x=[None, 6, 6, 4])
def contrib_instance_norm(x: Any) -> Any:
    y = conv(x, 4, "c")
    mean, variance = tf1.nn.moments(y, [1, 2], keepdims=True)
    y = variable("gamma", 4) * (y - mean) * tf1.rsqrt(variance + 1e-6) + variable("beta", 4)
    y = x + tf1.nn.relu(y)
    return tf.tanh(y) * 127.5 + 127.5


@graph(x=[None, 5, 6])
def contrib_layer_norm_of_steps(x: Any) -> Any:
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-6) * variable("gamma", 6) + variable("beta", 6)


@graph(x=[None, 8, 8, 3])
def folded(x: Any) -> Any:
    """As a graph transform leaves a normalized convolution: the kernel scaled, an offset."""
    kernel = variable("w", 3, 3, 3, 5) * variable("scale", 5)
    y = tf1.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME") + variable("offset", 5)
    return tf1.nn.relu(y * variable("scale2", 5) + variable("offset2", 5))


# -- tf.layers ------------------------------------------------------------------------------------


@graph(image=[None, 12, 12, 3])
def layers_convnet(image: Any) -> Any:
    y = tf1.layers.conv2d(image, 6, 3, name="conv")
    y = tf1.nn.relu(tf1.layers.batch_normalization(y, training=False, name="bn"))
    y = tf1.layers.max_pooling2d(y, 2, 2)
    y = tf1.layers.separable_conv2d(y, 8, 3, activation=tf.nn.elu, name="sep")
    y = tf1.layers.dropout(tf1.layers.flatten(y), 0.4, training=False)
    y = tf1.layers.dense(y, 7, activation=tf.nn.tanh, name="dense")
    return tf1.layers.dense(y, 4, activation=tf.nn.softmax, name="logits")


@graph(x=[None, 10, 4])
def layers_steps(x: Any) -> Any:
    y = tf1.layers.conv1d(x, 5, 3, padding="same", activation=tf.nn.relu, name="conv")
    y = tf1.layers.batch_normalization(y, training=False, name="bn")
    y = tf1.layers.dense(y, 3, name="dense")
    return tf1.layers.average_pooling1d(y, 2, 2)


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def make(name: str, folder: str) -> dict[str, Any]:
    shapes, build = GRAPHS[name]
    random = np.random.default_rng(list(name.encode()))
    with tf1.Graph().as_default() as made, tf1.Session() as session:
        tf1.set_random_seed(1)
        inputs = {key: tf1.placeholder(tf.float32, shape, key) for key, shape in shapes.items()}
        output = tf.identity(build(**inputs), "out")
        session.run(tf1.global_variables_initializer())
        for each in tf1.global_variables():  # statistics of tf.layers start with no effect
            value = random.normal(0, 0.5, each.shape)
            if any(word in each.name for word in ("variance", "gamma", "scale")):
                value = random.uniform(0.5, 1.5, each.shape)
            each.load(value.astype("float32"), session)
        feeds = {
            key: random.normal(0, 1, [3, *shape[1:]]).astype("float32")
            for key, shape in shapes.items()
        }
        wanted = session.run(output, {inputs[key]: array for key, array in feeds.items()})
        frozen = tf1.graph_util.convert_variables_to_constants(
            session, made.as_graph_def(), ["out"]
        )
        weights = [digest(each.eval(session)) for each in tf1.global_variables()]
    np.savez(f"{folder}/{name}.npz", **feeds, out_0=wanted)
    with open(f"{folder}/{name}.pb", "wb") as file:
        file.write(frozen.SerializeToString())
    return {"inputs": list(shapes), "outputs": 1, "frozen": True, "weights": sorted(weights)}


def main() -> None:
    with open(sys.argv[1]) as file:
        task = json.load(file)
    result = {name: make(name, task["folder"]) for name in GRAPHS}
    with open(sys.argv[1] + ".out", "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
