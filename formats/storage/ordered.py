"""OrderedCode: strings and numbers as bytes that sort as they do, one after the other in a key.

    string    its bytes, 00 as 00 ff, ff as ff 00; then 00 01
    unsigned  one byte: how many follow; then the number, big-endian, without leading zeros
    signed    n bytes, big-endian two's complement, the uppermost n + 1 bits replaced by a header:
              n ones and a zero for numbers from 0 on, n zeros and a one for negative ones

So a signed number from -64 to 63 takes one byte, and n bytes hold 7 n - 1 bits and the sign.
Source: tensorflow/core/lib/strings/ordered_code.cc.
"""

from __future__ import annotations

import re

from modelfmt.errors import CorruptFileError, TruncatedError, Where

_END = b"\x00\x01"
_ESCAPES = {b"\x00": b"\x00\xff", b"\xff": b"\xff\x00"}
_UNESCAPES = {escaped: plain for plain, escaped in _ESCAPES.items()}
_PAIR = re.compile(rb"[\x00\xff].", re.DOTALL)
_LONGEST = 10


def read_string(code: bytes, at: int) -> tuple[bytes, int]:
    """The string at ``at``, and the position after it.

    Raises:
        TruncatedError: it does not end.
        CorruptFileError: an escape that stands for nothing.

    Written by: ``write_string``.
    """
    out = bytearray()
    for special in _PAIR.finditer(code, at):
        found, pair = special.start(), special[0]
        out += code[at:found]
        if pair == _END:
            return bytes(out), found + 2
        if pair not in _UNESCAPES:
            raise CorruptFileError(
                "an OrderedCode string has an escape that stands for nothing",
                where=Where(offset=found), found=pair.hex(" "),
            )
        out += _UNESCAPES[pair]
        at = found + 2
    raise _truncated(code, at, 2)


def write_string(value: bytes) -> bytes:
    """A string. Read by: ``read_string``."""
    return re.sub(rb"[\x00\xff]", lambda m: _ESCAPES[m[0]], value) + _END


def read_unsigned(code: bytes, at: int) -> tuple[int, int]:
    """The number from 0 to 2**64 - 1 at ``at``, and the position after it.

    Raises:
        TruncatedError, CorruptFileError: more than 8 bytes.

    Written by: ``write_unsigned``.
    """
    if at >= len(code):
        raise _truncated(code, at, 1)
    length = code[at]
    if length > 8:
        raise CorruptFileError(
            "an OrderedCode number is too long", where=Where(offset=at),
            expected="at most 8 bytes", found=length,
        )
    end = at + 1 + length
    if end > len(code):
        raise _truncated(code, at, 1 + length)
    return int.from_bytes(code[at + 1 : end], "big"), end


def write_unsigned(value: int) -> bytes:
    """A number from 0 to 2**64 - 1. Read by: ``read_unsigned``."""
    length = (value.bit_length() + 7) // 8
    return bytes([length]) + value.to_bytes(length, "big")


def read_signed(code: bytes, at: int) -> tuple[int, int]:
    """The int64 at ``at``, and the position after it.

    Raises:
        TruncatedError, CorruptFileError: more than 10 bytes, or more than 64 bits.

    Written by: ``write_signed``.
    """
    if at >= len(code):
        raise _truncated(code, at, 1)
    negative = code[at] < 0x80
    # Ones in front of the first zero, of the first two bytes and with the sign made positive.
    head = int.from_bytes(code[at : at + 2].ljust(2, b"\x00"), "big") ^ (0xFFFF * negative)
    length = 16 - (head ^ 0xFFFF).bit_length()
    if length > _LONGEST:
        raise CorruptFileError(
            "an OrderedCode number is too long", where=Where(offset=at),
            expected=f"at most {_LONGEST} bytes", found=length,
        )
    end = at + length
    if end > len(code):
        raise _truncated(code, at, length)
    value = int.from_bytes(code[at:end], "big") ^ _header(length)
    if negative:  # the header's bits are ones of the sign again
        value -= 1 << 8 * length
    if not -(1 << 63) <= value < 1 << 63:
        raise CorruptFileError("an OrderedCode number above 64 bits", where=Where(offset=at))
    return value, end


def write_signed(value: int) -> bytes:
    """An int64. Read by: ``read_signed``."""
    length = (value ^ (value >> 63)).bit_length() // 7 + 1
    return ((value % (1 << 8 * length)) ^ _header(length)).to_bytes(length, "big")


def _header(length: int) -> int:
    """``length`` ones in front, within ``length`` bytes: what the code has on top of a number."""
    return ((1 << length) - 1) << 7 * length


def _truncated(code: bytes, at: int, wanted: int) -> TruncatedError:
    return TruncatedError(
        "a key ends within an OrderedCode value",
        wanted=wanted, available=max(len(code) - at, 0), where=Where(offset=at),
    )
