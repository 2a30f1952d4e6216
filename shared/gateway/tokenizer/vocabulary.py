"""A vocabulary's ranks, looked up in a file that is mapped into memory: only the pages that are asked for are read.

The file (infra/vocabularies.py makes it) is a hash table: the header with the number of buckets, an offset for each
bucket and one for the end of the last, and the buckets. A bucket has for each token its length in one byte, its bytes,
and its rank in three. Numbers are little-endian.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from zlib import crc32

MAGIC = b"ranks 1\n"
HEADER = struct.Struct("<8sI")
RANK_BYTES = 3
NO_RANK = 1 << 24  # behind every rank
_OFFSETS = struct.Struct("<II")
_MOST_KEPT = 16_384


class Ranks(dict[bytes, int]):
    """The rank of each token, and NO_RANK for what is none; keeps the answers that it gave last.

    Raises ValueError for a file of another kind, and OSError where there is none.
    """

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self._table = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        magic, buckets = HEADER.unpack_from(self._table)
        if magic != MAGIC:
            raise ValueError(f"{file.name} is no vocabulary; make it with `python -m infra.vocabularies`")
        self._mask = buckets - 1

    def __missing__(self, token: bytes) -> int:
        if len(self) >= _MOST_KEPT:
            self.clear()
        begin, end = _OFFSETS.unpack_from(self._table, HEADER.size + 4 * (crc32(token) & self._mask))
        bucket = self._table[begin:end]
        rank = self[token] = _rank_in(bucket, token) if token in bucket else NO_RANK
        return rank


def _rank_in(bucket: bytes, token: bytes) -> int:
    at = 0
    while at < len(bucket):
        behind = at + 1 + bucket[at]
        if bucket[at + 1 : behind] == token:
            return int.from_bytes(bucket[behind : behind + RANK_BYTES], "little")
        at = behind + RANK_BYTES
    return NO_RANK
