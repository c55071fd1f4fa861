"""The superblock, in annotated hex."""

from modelfmt.storage.superblock import is_hdf5, stored_end

SIGNATURE = "89 48 44 46 0d 0a 1a 0a"
VERSION_0 = bytes.fromhex(
    SIGNATURE + "00 00 00 00 00"  # versions: superblock, free space, root, -, shared header
    "08 08 00"                 # sizes of offsets and lengths, reserved
    "04 00 10 00 00 00 00 00"  # k of leaves and nodes, flags
    "00 00 00 00 00 00 00 00"  # base
    "ff ff ff ff ff ff ff ff"  # free space: none
    "60 08 00 00 00 00 00 00"  # end of file
)
VERSION_1 = VERSION_0[:8] + b"\1" + VERSION_0[9:24] + b"\x20\0\0\0" + VERSION_0[24:]
VERSION_2 = bytes.fromhex(
    SIGNATURE + "02 08 08 00"  # version, sizes of offsets and lengths, flags
    "00 00 00 00 00 00 00 00"  # base
    "ff ff ff ff ff ff ff ff"  # extension: none
    "2a 01 00 00 00 00 00 00"  # end of file
    "30 00 00 00 00 00 00 00"  # root
    "00 00 00 00"              # checksum
)


def test_is_hdf5() -> None:
    assert is_hdf5(VERSION_0) and is_hdf5(memoryview(VERSION_2))
    assert not is_hdf5(b"PK\3\4\0\0\0\0") and not is_hdf5(VERSION_0[:7])


def test_stored_end() -> None:
    assert [stored_end(v) for v in (VERSION_0, VERSION_1, VERSION_2)] == [0x860, 0x860, 0x12A]


def test_unknown_or_cut() -> None:
    assert stored_end(VERSION_0[:47]) is None
    assert stored_end(b"\0" * 96) is None
    assert stored_end(VERSION_0[:8] + b"\x09" + VERSION_0[9:]) is None
    assert stored_end(VERSION_0[:13] + b"\0" + VERSION_0[14:]) is None  # offsets of no bytes
