"""OrderedCode: known codes, both directions, and that they sort as the values do."""

from __future__ import annotations

import random

import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError
from modelfmt.storage import ordered


@pytest.mark.parametrize("value, code", [
    (0, "80"), (1, "81"), (63, "bf"), (64, "c0 40"), (8191, "df ff"), (8192, "e0 20 00"),
    (0x424242, "f0 42 42 42"), (2**63 - 1, "ff c0 7f ff ff ff ff ff ff ff"),
    (-1, "7f"), (-64, "40"), (-65, "3f bf"), (-0x800, "38 00"),
    (-(2**63), "00 3f 80 00 00 00 00 00 00 00"),
])
def test_signed(value: int, code: str) -> None:
    assert ordered.write_signed(value).hex(" ") == code
    raw = bytes.fromhex(code)
    assert ordered.read_signed(b"x" + raw + b"y", 1) == (value, len(raw) + 1)


@pytest.mark.parametrize("value, code", [
    (0, "00"), (1, "01 01"), (255, "01 ff"), (256, "02 01 00"), (2**64 - 1, "08" + "ff" * 8),
])
def test_unsigned(value: int, code: str) -> None:
    raw = bytes.fromhex(code)
    assert ordered.write_unsigned(value) == raw
    assert ordered.read_unsigned(b"x" + raw + b"y", 1) == (value, len(raw) + 1)


@pytest.mark.parametrize("value, code", [
    (b"", "00 01"), (b"foo", "66 6f 6f 00 01"), (b"\0\x13\xff", "00 ff 13 ff 00 00 01"),
    (b"\xff\0\0", "ff 00 00 ff 00 ff 00 01"),
])
def test_string(value: bytes, code: str) -> None:
    raw = bytes.fromhex(code)
    assert ordered.write_string(value) == raw
    assert ordered.read_string(b"x" + raw + b"\0\x01", 1) == (value, len(raw) + 1)


def test_codes_sort_as_their_values() -> None:
    rng = random.Random(0)
    numbers = sorted(rng.randint(-(2**63), 2**63 - 1) >> rng.randint(0, 63) for _ in range(3000))
    codes = [ordered.write_signed(n) for n in numbers]
    assert codes == sorted(codes)
    assert [ordered.read_signed(code, 0)[0] for code in codes] == numbers
    texts = sorted(bytes(rng.choices([0, 1, 97, 255], k=rng.randint(0, 6))) for _ in range(2000))
    codes = [ordered.write_string(text) for text in texts]
    assert codes == sorted(codes)
    assert [ordered.read_string(code, 0)[0] for code in codes] == texts


@pytest.mark.parametrize("read, code, error", [
    ("signed", "", TruncatedError), ("signed", "c0", TruncatedError),
    ("signed", "ff", TruncatedError), ("signed", "ff f0" + "00" * 10, CorruptFileError),
    ("signed", "ff df" + "ff" * 8, CorruptFileError),
    ("unsigned", "", TruncatedError), ("unsigned", "02 01", TruncatedError),
    ("unsigned", "09" + "00" * 9, CorruptFileError),
    ("string", "", TruncatedError), ("string", "61 62", TruncatedError),
    ("string", "61 00", TruncatedError), ("string", "61 00 05 00 01", CorruptFileError),
    ("string", "ff ff 00 01", CorruptFileError),
])
def test_corrupt(read: str, code: str, error: type[ModelFormatError]) -> None:
    with pytest.raises(ModelFormatError) as caught:
        getattr(ordered, f"read_{read}")(bytes.fromhex(code), 0)
    assert type(caught.value) is error
