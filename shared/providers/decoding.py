"""Undoing a body's content-encoding, which some servers apply unasked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from shared.errors import UpstreamCut, UpstreamMalformed

_DECODED_BYTES = 1024 * 1024  # a small compressed piece may hold gigabytes: it comes out in pieces of this size


class Decoder:
    """Undoes gzip and deflate, which some servers send unasked."""

    def __init__(self, encoding: str, place: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UpstreamMalformed(f"{place} answered in the encoding {encoding[:40]!r}, which was not asked for")
        self._place = place
        self._encoding = encoding
        self._inflater: zlib._Decompress | None = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            more = True
            while data or more:
                if self._inflater is None:
                    self._inflater = zlib.decompressobj(self._window(data[0]))
                elif self._inflater.eof:
                    if data[:1] != b"\x1f":  # only gzip may come in several members; anything else is padding
                        return
                    self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
                piece = self._inflater.decompress(data, _DECODED_BYTES)
                if piece:
                    yield piece
                data = self._inflater.unconsumed_tail or self._inflater.unused_data
                more = len(piece) == _DECODED_BYTES and not self._inflater.eof
        except zlib.error as error:
            raise UpstreamMalformed(f"{self._place} answered with broken {self._encoding} data") from error

    def end(self) -> None:
        if self._inflater is not None and not self._inflater.eof:
            raise UpstreamCut(f"{self._place} ended its {self._encoding} data too early")

    def _window(self, first: int) -> int:
        if self._encoding != "deflate":
            return zlib.MAX_WBITS | 16
        # "deflate" should have zlib's frame (RFC 9110, 8.4.1.2), but some servers send the bare data
        return zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS
