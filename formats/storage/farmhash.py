"""FarmHash's Fingerprint64: the 64-bit hash by which TensorFlow tells SavedModels apart.

Up to 16, 32 and 64 bytes have rules of their own; longer input is eaten in blocks of 64 bytes, of
which the last may overlap the one before. All sums and products are modulo 2^64, all words
little-endian. Source: google/farmhash, farmhashna::Hash64; TensorFlow, core/platform/fingerprint.h.
"""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_BLOCK = struct.Struct("<8Q")


def fingerprint64(data: bytes | memoryview) -> int:
    """The uint64 hash of ``data``; about a megabyte a second."""
    length = len(data)
    if length <= 16:
        return _up_to_16(bytes(data))
    if length <= 32:
        return _up_to_32(data)
    if length <= 64:
        return _up_to_64(data)
    return _longer(data)


def _word(data: bytes | memoryview, at: int) -> int:
    found: int = struct.unpack_from("<Q", data, at)[0]
    return found


def _turned(value: int, by: int) -> int:
    """``value`` (any integer) modulo 2^64, rotated right."""
    value &= _MASK
    return (value >> by) | (value << (64 - by)) & _MASK


def _shift_mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _mixed(u: int, v: int, factor: int) -> int:
    """Two words made one: HashLen16."""
    a = _shift_mix(((u ^ v) & _MASK) * factor)
    b = _shift_mix(((v ^ a) & _MASK) * factor)
    return b * factor & _MASK


def _up_to_16(data: bytes) -> int:
    length = len(data)
    factor = _K2 + 2 * length
    if length >= 8:
        a, b = _word(data, 0) + _K2, _word(data, length - 8)
        c = _turned(b, 37) * factor + a
        d = (_turned(a, 25) + b) * factor
        return _mixed(c & _MASK, d & _MASK, factor)
    if length >= 4:
        first, last = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _mixed(length + (first << 3), last, factor)
    if length:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[-1] << 2)
        return _shift_mix(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes | memoryview) -> int:
    length = len(data)
    factor = _K2 + 2 * length
    a, b = _word(data, 0) * _K1, _word(data, 8)
    c, d = _word(data, length - 8) * factor, _word(data, length - 16) * _K2
    one = _turned(a + b, 43) + _turned(c, 30) + d
    return _mixed(one & _MASK, (a + _turned(b + _K2, 18) + c) & _MASK, factor)


def _up_to_64(data: bytes | memoryview) -> int:
    length = len(data)
    factor = _K2 + 2 * length
    a, b = _word(data, 0) * _K2, _word(data, 8)
    c, d = _word(data, length - 8) * factor, _word(data, length - 16) * _K2
    y = (_turned(a + b, 43) + _turned(c, 30) + d) & _MASK
    z = _mixed(y, (a + _turned(b + _K2, 18) + c) & _MASK, factor)
    e, f = _word(data, 16) * factor, _word(data, 24)
    g, h = (y + _word(data, length - 32)) * factor, (z + _word(data, length - 24)) * factor
    one = _turned(e + f, 43) + _turned(g, 30) + h
    return _mixed(one & _MASK, (e + _turned(f + a, 18) + g) & _MASK, factor)


def _longer(data: bytes | memoryview) -> int:
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = _shift_mix(y * _K2 + 113) * _K2 & _MASK
    v1 = v2 = w1 = w2 = 0
    x = (x * _K2 + _word(data, 0)) & _MASK
    last = (len(data) - 1) // 64 * 64
    left = (len(data) - 1) & 63
    for at in range(0, last, 64):
        block = _BLOCK.unpack_from(data, at)
        x = _turned(x + y + v1 + block[1], 37) * _K1 & _MASK ^ w2
        y = (_turned(y + v2 + block[6], 42) * _K1 + v1 + block[5]) & _MASK
        z = _turned(z + w1, 33) * _K1 & _MASK
        v1, v2 = _weak(block[:4], v2 * _K1, x + w1)
        w1, w2 = _weak(block[4:], z + w2, y + block[2])
        x, z = z, x
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    block = _BLOCK.unpack_from(data, last + left - 63)
    w1 += left
    v1 += w1
    w1 += v1
    x = _turned(x + y + v1 + block[1], 37) * factor & _MASK ^ (w2 * 9 & _MASK)
    y = (_turned(y + v2 + block[6], 42) * factor + v1 * 9 + block[5]) & _MASK
    z = _turned(z + w1, 33) * factor & _MASK
    v1, v2 = _weak(block[:4], v2 * factor, x + w1)
    w1, w2 = _weak(block[4:], z + w2, y + block[2])
    x, z = z, x
    one = _mixed(v1, w1, factor) + _shift_mix(y) * _K0 + z
    return _mixed(one & _MASK, (_mixed(v2, w2, factor) + x) & _MASK, factor)


def _weak(words: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds as two words: WeakHashLen32WithSeeds."""
    w, x, y, z = words
    a += w
    b = _turned(b + a + z, 21)
    c = a
    a += x + y
    b += _turned(a, 44)
    return (a + z) & _MASK, (b + c) & _MASK
