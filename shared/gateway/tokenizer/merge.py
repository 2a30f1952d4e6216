"""Byte-pair merging: into how many tokens a piece falls."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from shared.gateway.tokenizer.vocabulary import NO_RANK

_PLACE_BITS = 32
_PLACE = (1 << _PLACE_BITS) - 1


def count_merged(piece: bytes, ranks: Mapping[bytes, int]) -> int:
    """Merge the neighbours of the lowest rank, the leftmost first, until no two make a token; count what is left.

    In n log n: a part is known by the place where it begins, and the heap holds, for every two neighbours that make a
    token, its rank and the first one's place. An entry is out of date when the place has another rank by now.
    """
    size = len(piece)
    ends = list(range(1, size + 1))  # of the part that begins here, and so where the next one begins
    before = list(range(-1, size))  # where the part before begins
    current = [ranks[piece[place : place + 2]] for place in range(size - 1)]
    current.append(NO_RANK)
    heap = [rank << _PLACE_BITS | place for place, rank in enumerate(current) if rank != NO_RANK]
    heapify(heap)
    parts = size
    while heap:
        entry = heappop(heap)
        place = entry & _PLACE
        if current[place] != entry >> _PLACE_BITS:
            continue
        parts -= 1
        taken = ends[place]
        current[taken] = NO_RANK
        end = ends[place] = ends[taken]
        before[end] = place
        rank = current[place] = ranks[piece[place : ends[end]]] if end < size else NO_RANK
        if rank != NO_RANK:
            heappush(heap, rank << _PLACE_BITS | place)
        left = before[place]
        if left >= 0:
            rank = current[left] = ranks[piece[left:end]]
            if rank != NO_RANK:
                heappush(heap, rank << _PLACE_BITS | left)
    return parts
