"""How an encoding cuts a text into the pieces that it then encodes one by one.

The published expressions ask for Unicode's general categories, which `re` does not know. So a text is first written in
an alphabet of one letter per class, and the expressions are written in that alphabet.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import accumulate, pairwise

# `'s`, `'LL` and the like end a word: their letters stay what they are; ſ is an s to whoever ignores case
_CONTRACTED = "dDeElLmMrRsStTvV"
_CLASS_OF = {
    **{letter: letter for letter in _CONTRACTED}, "ſ": "z", "'": "'", "/": "/", " ": " ", "\r": "n", "\n": "n",
    # Unicode's White_Space
    **dict.fromkeys("\t\v\f\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000", "w"),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), "w"),
}  # fmt: skip
_CLASS_OF_CATEGORY = {
    "Lu": "A", "Lt": "A", "Ll": "a", "Lm": "o", "Lo": "o", "Mn": "^", "Mc": "^", "Me": "^",
    "Nd": "N", "Nl": "N", "No": "N",
}  # fmt: skip
_OTHER = "p"

_UPPER, _LOWER, _MARKS = "ADELMRSTV", "adelmrstvz", r"o\^"
_CAPITALS, _SMALLS = f"[{_UPPER}{_MARKS}]", f"[{_LOWER}{_MARKS}]"
_CONTRACTION = "'(?:[sSzdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
_BEFORE = r"[ w'/p\^]?"
_NUMBER = "N{1,3}"
_SPACES = "[ wn]*n+|[ wn]+(?![^ wn])|[ wn]+"
_EXPRESSIONS = {
    "o200k_base": (
        f"{_BEFORE}{_CAPITALS}*{_SMALLS}+(?:{_CONTRACTION})?|{_BEFORE}{_CAPITALS}+{_SMALLS}*(?:{_CONTRACTION})?"
        rf"|{_NUMBER}| ?['/p\^]+[n/]*|{_SPACES}"
    ),
    "cl100k_base": rf"{_CONTRACTION}|{_BEFORE}[{_UPPER}{_LOWER}o]+|{_NUMBER}| ?['/p\^]+n*|{_SPACES}",
}
_MOST_KEPT = 4_096  # characters whose class is remembered: all that one text has, unless it is hostile


class _Classes(dict[int, str]):
    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = _CLASS_OF.get(character) or _CLASS_OF_CATEGORY.get(unicodedata.category(character), _OTHER)
        if len(self) < _MOST_KEPT:
            self[code] = found
        return found


_classes = _Classes()


def split(text: str, encoding: str) -> list[str]:
    """The pieces of the text, in their order; together they are the text."""
    lengths = map(len, _expression(encoding).findall(text.translate(_classes)))
    return [text[begin:end] for begin, end in pairwise(accumulate(lengths, initial=0))]


@cache
def _expression(encoding: str) -> re.Pattern[str]:
    return re.compile(_EXPRESSIONS[encoding])
