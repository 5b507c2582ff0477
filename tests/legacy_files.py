"""Committee files of the original: records taken apart, and put together otherwise."""

import struct
from pathlib import Path

ORIGINAL = Path(__file__).parent / "data" / "original"
WHOLE = ORIGINAL / "committee.out"
SINGLE = ORIGINAL / "committee_single.out"


def records(data):
    """Contents of the records, as gfortran writes them on a little-endian machine."""
    at = 0
    while at < len(data):
        (n,) = struct.unpack_from("<i", data, at)
        assert struct.unpack_from("<i", data, at + 4 + n) == (n,)
        yield data[at + 4 : at + 4 + n]
        at += n + 8


def numbers(data):
    """Integers and reals of each record: what the format says that they are."""
    contents = list(records(data))
    n_members = struct.unpack("<2i", contents[0])[0]
    reals = set(range(5, 2 + 4 * n_members, 4))
    reals |= set(range(2 + 4 * n_members, len(contents)))
    for i, content in enumerate(contents):
        size, kind = (8, "d") if i in reals else (4, "i")
        yield kind, struct.unpack(f"<{len(content) // size}{kind}", content)


def joined(parts, marker="i", order="<"):
    """A file of (kind, numbers) with markers of 4 ("i") or 8 bytes ("q")."""
    data = b""
    for kind, values in parts:
        content = struct.pack(f"{order}{len(values)}{kind}", *values)
        length = struct.pack(order + marker, len(content))
        data += length + content + length
    return data
