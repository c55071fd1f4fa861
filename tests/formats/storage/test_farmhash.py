"""Fingerprint64, against values of TensorFlow and, where it is there, TensorFlow itself."""

from __future__ import annotations

import random

import pytest

from modelfmt.storage.farmhash import fingerprint64


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0x9AE16A3B2F90404F), (b"hello world", 0x588FB7478BD6B01B)],
)
def test_known_values(data: bytes, value: int) -> None:
    assert fingerprint64(data) == value


def test_every_bit_counts() -> None:
    for size in (3, 7, 12, 24, 48, 64, 65, 200):
        data = bytes(range(size))
        for at in (0, size // 2, size - 1):
            other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert fingerprint64(other) != fingerprint64(data)
        assert 0 <= fingerprint64(memoryview(data)) < 1 << 64


@pytest.mark.oracle
def test_as_tensorflow() -> None:
    import tensorflow as tf

    rows = random.Random(7)
    data = [rows.randbytes(size) for size in (*range(200), 1000, 4096, 10_001)]
    wanted = tf.fingerprint(data).numpy()
    for one, row in zip(data, wanted, strict=True):
        assert fingerprint64(one) == int.from_bytes(row.tobytes(), "little")
