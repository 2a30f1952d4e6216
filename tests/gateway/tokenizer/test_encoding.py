"""Counts of tokens beside those of an independent implementation (tests/gateway/tokenizer/corpus.py made them)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from shared.gateway.tokenizer.encoding import EncodingName, count, encoding_of
from shared.gateway.tokenizer.split import split
from tests.gateway.tokenizer.corpus import FOLDER, corpus

ENCODINGS: tuple[EncodingName, ...] = get_args(EncodingName)
COUNTED: dict[str, list[int]] = json.loads((FOLDER / "counts.json").read_bytes())
NO_END = 1 << 30
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_text_is_as_many_tokens_as_it_is_elsewhere(encoding: EncodingName) -> None:
    texts = list(corpus())
    ours = [count(text, encoding, NO_END) for text in texts]
    rows = zip(texts, ours, COUNTED[encoding], strict=True)
    assert [(text, each.tokens, counted) for text, each, counted in rows if each.tokens != counted] == []
    assert [each.chars for each in ours] == [len(text) for text in texts]
    assert len(texts) > 1_000


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_pieces_are_the_text(encoding: EncodingName) -> None:
    for text in corpus():
        assert "".join(split(text, encoding)) == text


def test_known_texts_are_cut_as_published() -> None:
    assert split("It's 1234 o'clock,\n\n  DON'T!", "o200k_base") == [
        "It's", " ", "123", "4", " o", "'clock", ",\n\n", " ", " DON'T", "!",
    ]  # fmt: skip
    assert split("It's 1234 o'clock,\n\n  DON'T!", "cl100k_base") == [
        "It", "'s", " ", "123", "4", " o", "'clock", ",\n\n", " ", " DON", "'T", "!",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5.2-nano", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("openai/gpt-oss-120b", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("openai/GPT-4-0613", "cl100k_base"),
        ("ft:gpt-3.5-turbo:mine::1", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("llama3.1:8b", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_a_name_tells_the_encoding(model: str, encoding: str) -> None:
    assert encoding_of(model) == encoding


def test_what_looks_like_a_special_token_is_text() -> None:
    assert count("<|endoftext|>", "o200k_base", NO_END).tokens > 1


@pytest.mark.parametrize("text", ["qwxzjkvbpm" * 30_000, "字" * 100_000, "\U0001f600" * 100_000, " " * 300_000])
def test_a_very_long_piece_is_taken_to_be_like_its_beginning(text: str) -> None:
    counted = count(text, "o200k_base", NO_END)
    assert counted.merged_bytes == 4_096
    beginning = text[: 4_096 // len(text[0].encode())]
    assert counted.chars == len(text)
    per_char = count(beginning, "o200k_base", NO_END).tokens / len(beginning)
    assert counted.tokens == pytest.approx(per_char * len(text), rel=0.01)


def test_counting_stops_where_it_becomes_too_much_work() -> None:
    text = "".join(chr(0x4E00 + at * 7919 % 20_000) + ("。" if at % 20 == 0 else "") for at in range(20_000))
    counted = count(text, "o200k_base", 10_000)
    assert 10_000 < counted.merged_bytes < 10_000 + 4_096
    assert 0 < counted.chars < len(text) / 4
    assert counted.tokens == count(text[: counted.chars], "o200k_base", NO_END).tokens


def test_what_was_counted_before_changes_nothing() -> None:
    first = count("Straßenbahn", "o200k_base", NO_END).tokens
    for number in range(30_000):
        count(f"x{number}y", "o200k_base", NO_END)
    assert count("Straßenbahn", "o200k_base", NO_END).tokens == first


def test_the_vocabulary_is_not_read_before_the_first_text() -> None:
    script = (
        "from pathlib import Path\n"
        "from shared.gateway.tokens import estimate_texts\n"
        "mapped = lambda: [line.split()[-1] for line in Path('/proc/self/maps').read_text().splitlines() "
        "if line.endswith('.ranks')]\n"
        "assert mapped() == []\n"
        "assert estimate_texts(['hello world'], 'gpt-4o') == 2\n"
        "print([Path(name).name for name in mapped()])\n"
    )
    if not Path("/proc/self/maps").exists():
        pytest.skip("only Linux tells what a process has mapped")
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "['o200k_base.ranks']", ran.stderr
