"""The texts on which our counts must be those of other tokenizers, and the command that has these count them.

`python -m tests.gateway.tokenizer.corpus` writes tests/fixtures/tokens/counts.json. It needs rs-bpe 0.1.0, in an
environment of its own: two implementations that share nothing but OpenAI's vocabularies have to agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "tokens"
_RANDOM_TEXTS = 600
# where random characters come from: assigned long ago, so that every version of Unicode agrees on what they are
_RANGES = (
    (0x20, 0x7F), (0x20, 0x7F), (0x09, 0x0E), (0x20, 0x30), (0x61, 0x7B), (0x30, 0x3A), (0xA0, 0x100), (0x100, 0x17F),
    (0x300, 0x330), (0x391, 0x3A2), (0x410, 0x450), (0x5D0, 0x5EB), (0x620, 0x64B), (0x905, 0x93A), (0x993, 0x9A9),
    (0xE01, 0xE3B), (0x10D0, 0x10F1), (0x1E00, 0x1E96), (0x2000, 0x2030), (0x2150, 0x2184), (0x2190, 0x21D0),
    (0x3000, 0x3020), (0x3041, 0x3097), (0x30A1, 0x30FB), (0x4E00, 0x9FA6), (0xAC00, 0xD7A4), (0xFF01, 0xFF5F),
    (0x10400, 0x10450), (0x1D400, 0x1D455), (0x1F300, 0x1F600), (0x20000, 0x20100),
)  # fmt: skip


def corpus() -> Iterator[str]:
    """Hand-made texts, each also in other shapes, and then random ones."""
    texts: list[str] = json.loads((FOLDER / "texts.json").read_bytes())
    for text in texts:
        yield text
        yield f"{text.upper()} {text.swapcase()}\n"
        yield text[::-1]
    yield "\n".join(texts)
    yield "".join(texts)
    for number in range(_RANDOM_TEXTS):
        yield _random(number)


def _random(number: int) -> str:
    """The same on every machine and with every version of Python."""
    chance = _chance(number)
    ranges = [_RANGES[next(chance) % len(_RANGES)] for _ in range(1 + next(chance) % 4)]
    drawn: list[str] = []
    for _ in range(1 + next(chance) % 120):
        first, end = ranges[next(chance) % len(ranges)]
        drawn.append(chr(first + next(chance) % (end - first)))
    return "".join(drawn)


def _chance(seed: int) -> Iterator[int]:
    turn = 0
    while True:
        digest = hashlib.sha256(f"tokens {seed} {turn}".encode()).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4))
        turn += 1


def well_formed(text: str) -> str:
    """Without lone surrogates, as tiktoken has it before it counts."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def main() -> None:
    from rs_bpe import openai

    texts = [well_formed(text) for text in corpus()]
    encodings = {"o200k_base": openai.o200k_base(), "cl100k_base": openai.cl100k_base()}
    counts = {name: [encoding.count(text) for text in texts] for name, encoding in encodings.items()}
    (FOLDER / "counts.json").write_text(json.dumps(counts, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
