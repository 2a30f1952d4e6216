"""The vocabularies' files: they hold what OpenAI published, and can be made anew."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

import pytest

from infra.vocabularies import FOLDER, PUBLISHED, published, table, tokens_in
from shared.gateway.tokenizer.vocabulary import HEADER, NO_RANK, RANK_BYTES, Ranks

SOME = [bytes([byte]) for byte in range(33, 127)] + [bytes([byte]) for byte in (*range(33), *range(127, 256))]
SOME += [b"he", b"ll", b"hell", b"hello", "é".encode(), b" h", b"\x04he\x00", b"x" * 128]


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    file = tmp_path_factory.mktemp("vocabulary") / "some.ranks"
    file.write_bytes(table(SOME, 16))  # many tokens in each bucket
    return Ranks(file)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_file_holds_openais_vocabulary(name: str) -> None:
    content = (FOLDER / f"{name}.ranks").read_bytes()
    _, buckets = HEADER.unpack_from(content)
    at = HEADER.size + 4 * (buckets + 1)
    ranked: dict[int, bytes] = {}
    while at < len(content):
        behind = at + 1 + content[at]
        ranked[int.from_bytes(content[behind : behind + RANK_BYTES], "little")] = content[at + 1 : behind]
        at = behind + RANK_BYTES
    tokens = [ranked[rank] for rank in range(len(ranked))]
    assert hashlib.sha256(published(tokens)).hexdigest() == PUBLISHED[name][0]
    assert max(map(len, tokens)) == 128
    ranks = Ranks(FOLDER / f"{name}.ranks")
    for rank in (*range(256), *range(256, len(tokens), 97)):
        assert ranks[tokens[rank]] == rank


def test_every_token_has_its_rank_and_nothing_else_has_one(some: Ranks) -> None:
    assert [some[token] for token in SOME] == list(range(len(SOME)))
    for nothing in (b"hel", b"", b"helloo", b"he\x00", b"\x02he", b"x" * 127, b"x" * 129, "è".encode()):
        assert some[nothing] == NO_RANK


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.ranks"
    file.write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match=r"other\.ranks is no vocabulary"):
        Ranks(file)


def test_a_vocabulary_is_found_in_openais_form_and_in_rs_bpes() -> None:
    (openais,) = tokens_in(published(SOME))
    assert openais == SOME
    assert base64.b64encode(SOME[0]) + b" 0\n" == published(SOME)[:7]
    row = b"".join(SOME)
    begins = [sum(map(len, SOME[:rank])) for rank in range(len(SOME) + 1)]
    packed = b"\xdd" + struct.pack(">I", len(row)) + b"".join(_packed(byte) for byte in row)
    packed += b"\xdd" + struct.pack(">I", len(begins)) + b"".join(map(_packed, begins))
    (bpes,) = tokens_in(b"\x7fELF... \x9e" + packed + b" and so on")
    assert bpes == SOME
    assert list(tokens_in(b"nothing of the kind")) == []


def _packed(number: int) -> bytes:
    """As MessagePack writes it."""
    if number < 128:
        return bytes([number])
    return b"\xcc" + bytes([number]) if number < 256 else b"\xcd" + struct.pack(">H", number)
