"""Operations among layers: keras.ops in Keras 3, TensorFlow's functions in tf.keras.

Each row is one model of several outputs. Inputs: x and z (5, 4) floats, p positive, i (3,)
integers, g (6, 6, 3) an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from grid import Model

_SHAPES = {"x": (5, 4), "z": (5, 4), "p": (5, 4), "i": (3,), "g": (6, 6, 3), "n": (None, 4)}
Build = Callable[..., Any]

REFUSED = {
    "saves the first only": "tf.keras writes neither the others nor what they were",
    "does not say its 'other'": "tf.keras writes x == z without z",
}


def models(keras: Any, major: int) -> Iterator[Model]:
    for name, build in (three(keras) if major == 3 else two(keras)).items():
        yield name, lambda build=build: model(keras, build)


def model(keras: Any, build: Build) -> Any:
    wanted = build.__code__.co_varnames[: build.__code__.co_argcount]
    random = np.random.default_rng(1)
    inputs, arrays = [], []
    for name in wanted:
        integers = name == "i"
        inputs.append(
            keras.Input(_SHAPES[name], dtype="int32" if integers else "float32", name=name)
        )
        shape = (2, *(size or 3 for size in _SHAPES[name]))
        values = random.normal(size=shape).astype("float32")
        if name in ("p", "g"):
            values = np.abs(values) % 1
        arrays.append(random.integers(0, 4, shape).astype("int32") if integers else values)
    outputs = build(*inputs)
    flat: list[Any] = []
    spread(outputs, flat)
    made = keras.Model(inputs, [y for y in flat if keras.backend.is_keras_tensor(y)])
    made.arrays = arrays
    return made


def spread(value: Any, into: list[Any]) -> None:
    if isinstance(value, list | tuple):
        for inner in value:
            spread(inner, into)
    else:
        into.append(value)


def three(keras: Any) -> dict[str, Build]:
    """Models of Keras 3, most named after their ops."""
    o = keras.ops

    def unary(names: str) -> Build:
        return lambda p: [getattr(o, name)(p) for name in names.split()]

    def both(names: str) -> Build:
        return lambda x, z: [getattr(o, name)(x, z) for name in names.split()]

    def integers(names: str) -> Build:
        return lambda i: [getattr(o, name)(i) for name in names.split()]

    kernel = np.random.default_rng(2).normal(size=(3, 4, 2)).astype("float32")
    window = np.random.default_rng(3).normal(size=(2, 2, 3, 2)).astype("float32")
    positive = np.array([[4, 1, 0], [1, 3, 1], [0, 1, 2]], "float32")
    rows = {
        "arithmetic": lambda x, z: [
            x + 2.0, 3 - x, x * z, x / 4, 1 / (x + 9), x // 2.0, x % 2.0, -x, abs(x), x**2, x - z,
            x + np.ones((4,), "float32"), o.add(x1=x, x2=z), o.divide_no_nan(x, z), o.fmod(x, z),
        ],
        "comparison": lambda x, z: [x > 0, x >= z, x < 1, x <= z, x == 0.0, x != z,
            ~(x > 0), (x > 0) & (z > 0), (x > 0) | (z > 0), o.logical_xor(x > 0, z > 0),
            o.isclose(x, z), o.isclose(x, x), o.where(x > 0, x, 0.5), o.where(x > 0, 1, z),
            o.allclose(x, z)],
        "mixed": lambda x, i: [x + o.expand_dims(i[:, :1], -1), i + 1, i + 1.5, i / 2, i // 2,
            i % 2, i * 2, o.maximum(i, 1), o.power(i, 2), o.mean(i), o.sum(i > 1, -1),
            o.cast(i, "float32"), o.cast(x, "int32"), o.cast(x, "bool"), i > 1, o.clip(i, 1, 2),
            o.arange(3) + i, o.var(i), o.bitwise_and(i, i + 1), o.left_shift(i, i),
            o.bitwise_not(i),
            o.max(i, -1), o.square(i), o.cumsum(i, 1), o.exp(i), o.matmul(i, o.transpose(i))],
        "functions": unary(
            "exp expm1 log log1p log2 log10 sqrt rsqrt square abs sign sin cos tan sinh cosh tanh "
            "arcsin arccos arctan arcsinh arctanh floor ceil round trunc reciprocal negative erf "
            "erfinv exp2 cbrt sinc deg2rad rad2deg isfinite isnan isinf copy absolute nan_to_num "
            "isposinf isneginf conj real"
        ),
        "functions_of_integers": integers("sqrt sin tanh floor ceil round abs negative sign exp"),
        "functions_of_two": both(
            "maximum minimum arctan2 hypot logaddexp logaddexp2 heaviside mod floor_divide fmin "
            "fmax"
        ),
        "activations": unary(
            "relu relu6 sigmoid sparse_sigmoid softplus softsign soft_shrink sparse_plus silu "
            "squareplus log_sigmoid leaky_relu hard_sigmoid hard_silu elu selu gelu celu glu "
            "tanh_shrink hard_tanh hard_shrink softmax log_softmax sparsemax"
        ),
        "activations_set": lambda x: [
            o.gelu(x, approximate=False), o.elu(x, 0.5), o.celu(x, 0.5), o.leaky_relu(x, 0.3),
            o.softmax(x, axis=1), o.log_softmax(x, axis=1),
            o.threshold(x, 0.1, 5.0), o.hard_shrink(x, 0.2), o.soft_shrink(x, 0.2), o.glu(x, 2),
            o.squareplus(x, 2.0), o.round(x, 2), o.clip(x, -0.5, 0.5)],
        "reductions": lambda x: [getattr(o, name)(x, axis=axis, keepdims=keep)
            for name in ["sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "amax",
            "amin", "ptp", "nansum", "nanmean", "nanmax", "nanmin", "nanprod", "nanvar", "nanstd"]
            for axis, keep in ((None, False), (1, True), ((1, 2), False), (-1, False))],
        "reductions_logical": lambda x: [o.any(x > 0, axis=1), o.all(x > 0, axis=-1, keepdims=True),
            o.count_nonzero(x > 0, axis=1), o.max(x, axis=1, initial=0.5), o.any(x), o.average(x,
            1),
            o.average(x, axis=2, weights=np.array([1, 2, 3, 4], "float32")),
            *o.moments(x, [1]), o.median(x, axis=1), o.quantile(x, 0.3, axis=(1, 2)),
            o.quantile(x, 0.25, axis=1, keepdims=True)],
        "places": lambda x: [o.argmax(x, axis=1), o.argmin(x, axis=-1, keepdims=True), o.argmax(x),
            o.cumsum(x, axis=1), o.cumprod(x, axis=-1), o.sort(x, axis=1), o.argsort(x, axis=-1),
            *o.top_k(x, 2), o.diff(x, axis=1), o.diff(x, n=2, axis=2), o.digitize(x,
            np.array([-0.5, 0.5])),
            o.trapezoid(x, axis=1), o.cumsum(x)],
        "shapes": lambda x: [o.reshape(x, (-1, 20)), o.reshape(x, (-1, 2, 10)), o.ravel(x),
            o.expand_dims(x, 1), o.expand_dims(x, (0, -1)), o.squeeze(x[:, :1], 1),
            o.transpose(x, (0, 2, 1)), o.transpose(x), o.moveaxis(x, 1, 2), o.swapaxes(x, 0, 1),
            o.moveaxis(x, (0, 1), (1, 0)), o.flip(x, 1), o.flip(x), o.fliplr(x), o.flipud(x),
            o.rot90(x, 1, axes=(1, 2)), o.rot90(x, 3, axes=(1, 2)), o.rot90(x[:, :4], 2, axes=(1,
            2)),
            o.roll(x, 2, axis=1), o.roll(x, 1), o.tile(x, (1, 2, 1)), o.tile(x, (2,)),
            o.repeat(x, 2, axis=1), o.repeat(x, [1, 0, 2, 1, 1], axis=1), o.repeat(x, 2),
            o.broadcast_to(x[:, :1], (2, 5, 4)), o.zeros_like(x), o.ones_like(x), o.full_like(x,
            2.0),
            o.zeros_like(x, dtype="int32"), o.size(x), o.linspace(x, x + 1, 3, axis=1)],
        "unknown_sizes": lambda n: [o.repeat(n, 2, axis=1), o.sum(n, 1), o.reshape(n, (-1, 4)),
            o.flip(n, 1), o.concatenate([n, n], axis=1), o.softmax(n, axis=1), n[:, ::2], n[:, -1],
            o.matmul(n, kernel[0]), o.take_along_axis(n, o.argsort(n, axis=1), axis=1),
            o.sort(n, axis=1), o.tril(n), o.unstack(n, axis=2), o.einsum("btd,bsd->bts", n, n)],
        "together": lambda x, z: [o.concatenate([x, z], 1), o.concatenate([x, z], -1),
            o.stack([x, z]), o.stack([x, z], axis=-1), o.hstack([x, z]), o.vstack([x, z]),
            o.dstack([x, z]), o.append(x, z, axis=1), o.append(x, z), o.select([x > 0], [x], 0.0),
            o.meshgrid(x[:, 0, 0], z[:, 0, 0]), o.meshgrid(x[:, 0, 0], z[0, 0], indexing="ij")],
        "apart": lambda x: [o.split(x, 2, axis=-1), o.split(x, [1, 3], axis=1), o.unstack(x,
            axis=1),
            o.array_split(x, 2, axis=1), o.hsplit(x, 5), o.dsplit(x, 2), o.vsplit(x, [1])],
        "padding": lambda x: [o.pad(x, [[0, 0], [1, 1], [0, 2]]),
            o.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=2.0),
            o.pad(x, [[0, 0], [2, 1], [1, 1]], mode="reflect"),
            o.pad(x, [[0, 0], [1, 2], [1, 0]], mode="symmetric")],
        "slices": lambda x: [x[:, 1:3, ..., None], x[0], x[:, -1], x[..., 0], x[:, ::2], x[:, ::-1],
            x[:, None], x[:, 1, 2], x[:, :-1, 1:], o.slice(x, [0, 1, 0], [1, 2, 2]),
            o.slice_update(x, [0, 1, 1], np.ones((1, 2, 2), "float32"))],
        "gathering": lambda x, i: [o.take(x, i, axis=1), o.take(x, [0, 2], axis=1),
            o.take(x, -1, axis=2), o.one_hot(i, 5), o.one_hot(i, 5, axis=1), o.multi_hot(i, 5),
            o.take_along_axis(x, o.argsort(x, axis=1), axis=1), o.isin(i, [1, 2]),
            o.one_hot(i, 4, dtype="int32"), o.take(x, i[0]), o.bincount(i, minlength=4),
            o.nonzero(i), o.scatter_update(x, [[0, 1, 2]], [7.0])],
        "products": lambda x, z: [o.matmul(x, o.transpose(z, (0, 2, 1))), x @ kernel[0],
            o.matmul(x, kernel[0, :, 0]), o.dot(x, kernel[0]), o.tensordot(x, z, axes=[[1], [1]]),
            o.tensordot(x, kernel[0], axes=1), o.einsum("bij,bkj->bik", x, z),
            o.einsum("bij,jk->bik", x, kernel[0]), o.einsum("bij->bji", x),
            o.einsum("...j,jk->...k", x, kernel[0]), o.outer(x[0, 0], z[0, 1]), o.vdot(x, z),
            o.inner(x, z), o.cross(x[..., :3], z[..., :3]), o.kron(x[0], z[0]),
            o.einsum("bij,bij,bij->b", x, z, x)],
        "matrices": lambda x: [o.tril(x), o.triu(x), o.tril(x, 1), o.triu(x, -1), o.diag(x[0, 0]),
            o.diag(x[0], 1), o.diagonal(x, axis1=1, axis2=2), o.diagonal(x, 1, 1, 2),
            o.trace(x, 0, 1, 2), o.norm(x, axis=-1), o.norm(x, ord=1, axis=1), o.norm(x[0]),
            o.norm(x, ord=3, axis=1, keepdims=True), o.norm(x, ord=2, axis=2),
            o.linalg.norm(x, ord="fro", axis=(1, 2)), o.norm(x, ord=1, axis=(1, 2)),
            o.inv(o.matmul(x[:, :3, :1], o.transpose(x[:, :3, :1], (0, 2, 1))) + positive),
            o.det(x[:, :3, :3]), o.solve(x[:, :3, :3] + 5 * positive, x[:, :3]),
            o.cholesky(0 * x[:, :3, :3] + positive), o.svd(x, compute_uv=False),
            o.solve_triangular(o.tril(x[:, :3, :3]) + 5 * positive, x[:, :3], lower=True)],
        "normalising": lambda x: [o.normalize(x), o.normalize(x, axis=1), o.normalize(x, order=3),
            o.rms_normalization(x), o.rms_normalization(x, scale=np.arange(4, dtype="float32")),
            o.layer_normalization(x), o.layer_normalization(
                x, gamma=np.arange(4, dtype="float32"), beta=np.ones(4, "float32"), epsilon=1e-3),
            o.batch_normalization(x, np.zeros(4, "float32"), np.full(4, 2, "float32"), -1,
                                  scale=np.arange(4, dtype="float32")),
            o.psnr(x, x + 0.5, 1.0)],
        "windows": lambda x, g: [o.max_pool(x, 2), o.average_pool(x, 2, 1, "same"),
            o.max_pool(g, 2), o.average_pool(g, (2, 3), padding="same"), o.conv(x, kernel),
            o.conv(x, kernel, 2, "same"), o.conv(g, window, (2, 1)), o.conv(g, window, (1, 1),
            "same",
            dilation_rate=2), o.depthwise_conv(g, window, (1, 1)), o.separable_conv(
                g, window, np.ones((1, 1, 6, 2), "float32")), o.depth_to_space(
                o.concatenate([g, g, g, g], -1), 2), o.space_to_depth(g, 2),
            o.adaptive_max_pool(g, (2, 2)), o.adaptive_average_pool(g, (2, 3))],
        "images": lambda g: [o.image.rgb_to_grayscale(g), o.image.rgb_to_hsv(g),
            o.image.hsv_to_rgb(g), o.image.resize(g, (4, 5)),
            o.image.resize(g, (9, 3), interpolation="nearest")],
        "losses": lambda x, z, i: [o.binary_crossentropy(o.sigmoid(x), o.sigmoid(z)),
            o.binary_crossentropy(o.sigmoid(z), x, from_logits=True),
            o.categorical_crossentropy(o.softmax(x) * 1.0, o.softmax(z) * 1.0),
            o.categorical_crossentropy(o.softmax(x), z, from_logits=True),
            o.categorical_crossentropy(o.softmax(x, 1) * 1.0, z, from_logits=True, axis=1),
            o.sparse_categorical_crossentropy(i, x[:, :3], from_logits=True),
            o.sparse_categorical_crossentropy(i, o.softmax(x[:, :3]) * 1.0)],
        "signals": lambda x, z: [o.fft((x, z)), o.fft2((x, z)), o.ifft2((x, z)), o.rfft(x),
            o.rfft(x, fft_length=8), o.rfft(x, fft_length=3), o.irfft((x, z)),
            o.irfft((x, z), fft_length=9), o.irfft((x, z), fft_length=4),
            o.extract_sequences(x, 2, 1), o.extract_sequences(x, 3, 2),
            o.stft(x, 3, 1, 4), o.stft(x, 2, 1, 4, window="hamming", center=False),
            o.stft(x, 3, 2, 3, window=None), o.angle(x), o.correlate(x[0, 0], z[0, 1, :2]),
            o.correlate(x[0, 0], z[0, 1, :3], mode="same"),
            o.correlate(x[0, 0], z[0, 1, :3], mode="full")],
        "segments": lambda x, i: [o.segment_sum(x[0, :3], i[0], num_segments=4),
            o.segment_max(x[0, :3], i[0], num_segments=5),
            o.segment_min(x[0, :3], o.sort(i[0]), sorted=True),
            o.segment_prod(x[0, :3], i[1], num_segments=4),
            o.nanargmax(o.log(x), axis=1), o.nanargmin(o.log(x), axis=-1, keepdims=True),
            o.nanargmax(o.log(x)), o.nancumsum(o.log(x), axis=1), o.nancumprod(o.log(x), axis=-1),
            o.unravel_index(i[0], (2, 3)), o.unravel_index(i, (2, 3)), o.signbit(x), o.signbit(i),
            o.view(x, "int32"), o.view(x, "int16"), o.view(o.cast(x, "float16"), "float32"),
            o.i0(x)],
        "more_matrices": lambda x: [o.linalg.cholesky_inverse(0 * x[0, :3, :3] + positive),
            o.logdet(0 * x[:, :3, :3] + positive), o.slogdet(x[:, :3, :3]),
            o.linalg.matrix_rank(x), o.linalg.matrix_rank(0 * x), o.linalg.pinv(x),
            o.linalg.lstsq(x[0], x[1]), o.linalg.lstsq(x[0], x[1, :, 0]), o.cdist(x, x[:, :2]),
            o.corrcoef(x[0]), o.vander(x[0, 0]), o.vander(x[0, 0], 3, increasing=True),
            o.logspace(x[0, 0], x[0, 1], 5), o.geomspace(x[0, 0], x[0, 0] * 3, 4, axis=1),
            o.logspace(x[0, 0], x[0, 1], 5, endpoint=False, base=2)],
        "attending": lambda x, z: [
            o.dot_product_attention(*[o.reshape(t, (-1, 5, 2, 2)) for t in (x, z, x + z)]),
            o.dot_product_attention(*[o.reshape(t, (-1, 5, 2, 2)) for t in (x, z, x)],
                                    is_causal=True, scale=0.3),
            o.dot_product_attention(o.reshape(x, (-1, 5, 4, 1)),
                                    *[o.reshape(t, (-1, 5, 2, 2))[..., :1] for t in (z, x)]),
            o.dot_product_attention(*[o.reshape(t, (-1, 5, 4, 1)) for t in (x, z, x)],
                                    mask=o.reshape(z[:, :, 0] > 0, (-1, 1, 1, 5)))],
        "rearranging": lambda x, g: [o.rearrange(x[0], "t c -> c t"),
            o.rearrange(x[0], "t (h w) -> h (t w)", h=2),
            o.rearrange(g[0], "(r s) (c t) d -> r c (s t d)", s=2, t=3)],
        "more_windows": lambda x, g: [
            o.image.extract_patches(g, (2, 3)), o.image.extract_patches(g, 2, 1, padding="same"),
            o.unfold(o.transpose(g, (0, 3, 1, 2)), 2, padding=1),
            o.unfold(o.transpose(g, (0, 3, 1, 2)), (2, 3), dilation=2, stride=(1, 2)),
            o.image.crop_images(g, 1, 2, target_height=3, target_width=2),
            o.image.crop_images(g, 1, 2, 1, 0), o.image.pad_images(g, 1, 2, 3, 4),
            o.image.pad_images(g, 1, 2, target_height=9, target_width=9),
            o.image.gaussian_blur(g), o.image.gaussian_blur(g, (3, 5), (0.5, 2.0)),
            o.image.sobel_edges(g)],
        "masking": lambda x: keras.layers.LSTM(3)(keras.layers.Masking()(x)),
        "among_layers": lambda x: keras.layers.Add()([
            keras.layers.Dense(4)(o.add(x, 1.0)), o.multiply(x, 2.0)]),
    }  # fmt: skip
    return rows


def two(keras: Any) -> dict[str, Build]:
    """Models of tf.keras, of TensorFlow's functions."""
    import tensorflow as tf

    k = keras.backend
    matrix = tf.constant(np.random.default_rng(2).normal(size=(4, 3)).astype("float32"))

    def unary(names: str, place: Any = tf.math) -> Build:
        return lambda p: [getattr(place, name)(p) for name in names.split()]

    return {
        "arithmetic": lambda x, z: [x + 2.0, 3 - x, x * z, x / 4, 1 / (x + 9), x // 2.0, x % 2.0,
            -x, abs(x), x**2, x - z, tf.constant([1.0, 2, 3, 4]) * x, tf.add(x=x, y=z), x @ matrix,
            tf.math.divide_no_nan(x, z), tf.math.squared_difference(x, z), tf.add_n([x, z]),
            tf.maximum(x, 0.0), tf.minimum(x, z), tf.atan2(x, z), 2.0**x],
        "comparison": lambda x, z: [x > 0, x >= z, x < 1, x <= z, tf.equal(x, z), tf.not_equal(x,
            0),
            ~(x > 0), (x > 0) & (z > 0), tf.logical_or(x > 0, z > 0), tf.where(x > 0, x, 0.5),
            tf.math.logical_xor(x > 0, z > 0), tf.where(x > 0, 1.0, z)],
        "lost": lambda x, z: [x == z, tf.einsum("bij,bkj->bik", x, z)],
        "single": lambda x, p: [tf.math.xlog1py(p, p), tf.math.igamma(p, p + 1.0),
            tf.math.betainc(p, p + 0.5, p), tf.math.bessel_i0(x), tf.math.bessel_i1e(x),
            tf.truncatemod(x, p + 0.5), tf.nn.l2_loss(x), tf.nn.crelu(x), tf.clip_by_norm(x, 1.0),
            tf.clip_by_norm(x, 0.7, axes=[1]), tf.math.zero_fraction(tf.nn.relu(x)),
            tf.linalg.adjoint(x), tf.debugging.check_numerics(x, "no"),
            tf.quantization.fake_quant_with_min_max_args(x, -1.0, 1.5),
            tf.quantization.fake_quant_with_min_max_vars(x, -0.5, 2.0, num_bits=6),
            tf.nn.sigmoid_cross_entropy_with_logits(p, x),
            tf.nn.softmax_cross_entropy_with_logits(p, x)],
        "pictures": lambda g: [tf.image.flip_left_right(g), tf.image.flip_up_down(g),
            tf.image.transpose(g), tf.image.crop_to_bounding_box(g, 1, 2, 3, 2),
            tf.image.pad_to_bounding_box(g, 1, 2, 9, 10), tf.image.central_crop(g, 0.5),
            tf.image.adjust_brightness(g, 0.2), tf.image.adjust_contrast(g, 1.5),
            tf.image.grayscale_to_rgb(g[..., :1]), tf.image.per_image_standardization(g),
            tf.image.sobel_edges(g), tf.nn.local_response_normalization(g, depth_radius=2)],
        "integers": lambda i: [i + 1, i * 2, i // 2, i % 2, i / 2, tf.cast(i, tf.float32),
            tf.reduce_mean(i), tf.one_hot(i, 5), tf.one_hot(i, 4, axis=1, on_value=3.0), i > 1,
            tf.reduce_sum(i, 1), tf.cast(i > 1, "float32"), tf.bitwise.bitwise_and(i, 1)],
        "functions": unary("exp expm1 log log1p sqrt rsqrt square abs sign sin cos tan sinh cosh "
            "tanh asin acos atan asinh atanh floor ceil round reciprocal negative erf erfinv "
            "is_finite is_nan is_inf sigmoid softplus log_sigmoid lgamma digamma rint"),
        "activations": unary("relu relu6 elu selu softsign softplus gelu silu leaky_relu softmax "
            "log_softmax sigmoid tanh swish", tf.nn),
        "activations_set": lambda x: [tf.nn.gelu(x, approximate=True), tf.nn.softmax(x, axis=1),
            tf.nn.leaky_relu(x, alpha=0.3), tf.nn.swish(x), keras.activations.relu(x),
            keras.activations.relu(x, max_value=1.0), keras.activations.hard_sigmoid(x)],
        "reductions": lambda x: [getattr(tf, f"reduce_{name}")(x, axis=axis, keepdims=keep)
            for name in ["sum", "mean", "max", "min", "prod", "logsumexp"]
            for axis, keep in ((None, False), (1, True), ((1, 2), False), (-1, False))],
        "more_reductions": lambda x: [tf.math.reduce_std(x, 1), tf.math.reduce_variance(x, [1, 2]),
            tf.reduce_any(x > 0, 1), tf.reduce_all(x > 0, -1), tf.argmax(x, -1), tf.argmin(x, 1),
            tf.argmax(x, axis=1, output_type="int32"), tf.cumsum(x, 1), tf.cumsum(x, 1,
            reverse=True),
            tf.math.cumprod(x, 1, exclusive=True), tf.math.top_k(x, 2), tf.sort(x, axis=1),
            tf.argsort(x, axis=1, direction="DESCENDING"), tf.nn.moments(x, [1]),
            tf.math.count_nonzero(x, 1), tf.linalg.norm(x, axis=1), tf.norm(x, ord=1, axis=2),
            tf.math.l2_normalize(x, 1), tf.math.reduce_euclidean_norm(x, 1), k.l2_normalize(x, 1)],
        "shapes": lambda x: [tf.reshape(x, (-1, 20)), tf.reshape(x, [tf.shape(x)[0], -1]),
            tf.expand_dims(x, 1), tf.squeeze(x[:, :1], 1), tf.transpose(x, (0, 2, 1)),
            tf.transpose(x), tf.reverse(x, [1]), tf.roll(x, 2, 1), tf.tile(x, [1, 2, 1]),
            tf.repeat(x, 2, axis=1), tf.zeros_like(x), tf.ones_like(x), tf.shape(x)[0],
            tf.fill(tf.shape(x), 2.0), tf.broadcast_to(x[:1], [2, 5, 4]), tf.size(x),
            tf.linalg.band_part(x, 1, 0), tf.linalg.diag_part(x), tf.identity(x),
            tf.zeros([tf.shape(x)[0], 3]), tf.range(tf.shape(x)[0]), tf.stop_gradient(x)],
        "together": lambda x, z: [tf.concat([x, z], 1), tf.concat([x, z], axis=-1),
            tf.stack([x, z], 1), tf.split(x, 2, axis=-1), tf.split(x, [1, 3], -1),
            tf.unstack(x, axis=1), tf.pad(x, [[0, 0], [1, 1], [0, 2]]),
            tf.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=2.0),
            tf.pad(x, [[0, 0], [1, 1], [0, 2]], mode="REFLECT")],
        "slices": lambda x: [x[:, 1:3, ..., None], x[0], x[:, -1], x[..., 0], x[:, ::2], x[:, ::-1],
            x[:, tf.newaxis], x[:, 1, 2], x[1:], tf.slice(x, [0, 1, 0], [1, 2, 2]),
            x[:, : tf.shape(x)[1] - 1], tf.strided_slice(x, [0, 1, 0], [2, 3, 4])],
        "gathering": lambda x, i: [tf.gather(x, i, axis=1), tf.gather(x, i, axis=1, batch_dims=1),
            tf.gather(x, [0, 2], axis=2), tf.boolean_mask(x, x[:, :, 0] > 0),
            tf.gather_nd(x, tf.stack([i[:, 0] * 0, i[:, 1]], -1)), tf.sequence_mask(i[:, 0], 5)],
        "products": lambda x, z: [tf.matmul(x, z, transpose_b=True), tf.tensordot(x, matrix, 1),
            tf.matmul(x, z, transpose_a=True), k.dot(x, matrix), k.batch_dot(x, z, axes=(2, 2)),
            tf.tensordot(x, z, [[1], [1]]), tf.linalg.matvec(x, z[:, 0]),
            tf.linalg.cross(x[..., :3], z[..., :3]), tf.linalg.trace(x)],
        "windows": lambda x, g: [tf.nn.max_pool1d(x, 2, 1, "SAME"), tf.nn.max_pool2d(g, 2, 2,
            "VALID"),
            tf.nn.avg_pool2d(g, [2, 2], [1, 1], "SAME"), tf.nn.bias_add(x, [1.0, 2, 3, 4]),
            tf.nn.conv2d(g, np.ones((2, 2, 3, 2), "float32"), 1, "VALID"),
            tf.nn.depthwise_conv2d(g, np.ones((2, 2, 3, 2), "float32"), [1, 1, 1, 1], "SAME"),
            tf.nn.depth_to_space(tf.concat([g, g, g, g], -1), 2), tf.nn.space_to_depth(g, 2)],
        "images": lambda g: [tf.image.rgb_to_grayscale(g), tf.image.rgb_to_hsv(g),
            tf.image.resize(g, (4, 5)), tf.image.resize(g, (9, 3), method="nearest")],
        "backend": lambda x, z: [k.sum(x, 1), k.mean(x, 1, keepdims=True), k.concatenate([x, z]),
            k.permute_dimensions(x, (0, 2, 1)), k.clip(x, -0.5, 0.5), k.softmax(x), k.relu(x),
            k.cast(x, "int32"), k.square(x), k.max(x, -1), k.expand_dims(x), k.stack([x, z]),
            k.sigmoid(x), k.repeat_elements(x, 2, 1), k.epsilon() + x, k.int_shape(x)[1] * x],
        "masking": lambda x: keras.layers.LSTM(3)(keras.layers.Masking()(x)),
        "among_layers": lambda x: keras.layers.Add()([keras.layers.Dense(4)(x + 1.0), x * 2.0]),
    }  # fmt: skip
