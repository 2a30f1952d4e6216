"""Makes the vocabularies' files of shared/gateway/tokenizer, from OpenAI's own or from a library that carries them.

`python -m infra.vocabularies FILE …`: a FILE is a `.tiktoken` as OpenAI publishes it with tiktoken (MIT License), or
the compiled module of rs-bpe 0.1.0, which has both (`pip install rs-bpe` in an environment of its own). What is written
is of OpenAI's vocabulary or not at all: its checksum is the one that tiktoken checks downloads against.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from zlib import crc32

from shared.gateway.tokenizer.vocabulary import HEADER, MAGIC, RANK_BYTES

FOLDER = Path(__file__).resolve().parents[1] / "shared" / "gateway" / "tokenizer"
# sha256 of OpenAI's file (tiktoken_ext/openai_public.py), and the number of buckets: a token and a half in each
PUBLISHED = {
    "o200k_base": ("446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", 1 << 17),
    "cl100k_base": ("223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", 1 << 16),
}
_ARRAY = 0xDD  # MessagePack's mark of an array of any length, and of its numbers of 1, 2 and 4 bytes
_NUMBER_BYTES = {0xCC: 1, 0xCD: 2, 0xCE: 4}


def published(tokens: Sequence[bytes]) -> bytes:
    """The tokens, in the order of their ranks, as OpenAI's file has them."""
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens))


def table(tokens: Sequence[bytes], buckets: int) -> bytes:
    """The tokens as shared/gateway/tokenizer/vocabulary.py reads them."""
    filled: list[list[bytes]] = [[] for _ in range(buckets)]
    for rank, token in enumerate(tokens):
        entry = bytes([len(token)]) + token + rank.to_bytes(RANK_BYTES, "little")
        filled[crc32(token) & (buckets - 1)].append(entry)
    offsets = [HEADER.size + 4 * (buckets + 1)]
    for bucket in filled:
        offsets.append(offsets[-1] + sum(map(len, bucket)))
    index = struct.pack(f"<{len(offsets)}I", *offsets)
    return HEADER.pack(MAGIC, buckets) + index + b"".join(entry for bucket in filled for entry in bucket)


def tokens_in(content: bytes) -> Iterator[list[bytes]]:
    """The vocabularies in a file of either kind."""
    if re.match(rb"[A-Za-z0-9+/]+=* 0\n", content):
        yield [base64.b64decode(line.split()[0]) for line in content.splitlines()]
        return
    # rs-bpe embeds what it serialized: all tokens in a row, one number for each byte, and then where each begins
    for found in re.finditer(rb'\xdd....!"#\$%&', content, re.DOTALL):
        numbers, behind = _array(content, found.start())
        row = bytes(numbers)
        begins, _ = _array(content, behind)
        yield [row[begin:end] for begin, end in pairwise(begins)]


def _array(content: bytes, at: int) -> tuple[list[int], int]:
    if content[at] != _ARRAY:
        raise ValueError("not as rs-bpe 0.1.0 has it")
    numbers: list[int] = []
    length = int.from_bytes(content[at + 1 : at + 5], "big")
    at += 5
    for _ in range(length):
        size = _NUMBER_BYTES.get(content[at], 0)
        numbers.append(int.from_bytes(content[at + 1 : at + 1 + size], "big") if size else content[at])
        at += 1 + size
    return numbers, at


def main() -> int:
    names = {checksum: name for name, (checksum, _) in PUBLISHED.items()}
    written = 0
    for file in sys.argv[1:]:
        for tokens in tokens_in(Path(file).read_bytes()):
            name = names.get(hashlib.sha256(published(tokens)).hexdigest())
            if name is None:
                sys.stdout.write(f"{file}: {len(tokens)} tokens of an unknown vocabulary, left out\n")
                continue
            made = table(tokens, PUBLISHED[name][1])
            (FOLDER / f"{name}.ranks").write_bytes(made)
            checksum = hashlib.sha256(made).hexdigest()
            sys.stdout.write(f"{name}: {len(tokens)} tokens, {len(made)} bytes, sha256 {checksum}\n")
            written += 1
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())
