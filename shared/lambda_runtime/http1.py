"""The little HTTP/1.1 that the Runtime API needs: the bytes of a request, and answers read from a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

MOST_BODY_BYTES = 64 << 20  # ten times Lambda's 6 MB payload, for base64 and JSON's escapes
_MOST_HEADERS = 100


class Malformed(ValueError):
    """The answer is not HTTP as the Runtime API speaks it."""


class Answer(NamedTuple):
    """Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def head(method: str, path: str, host: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Request line and headers."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; `data` must not be empty, for that would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Iterable[tuple[str, str]] = ()) -> bytes:
    return ("0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n").encode("latin-1")


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One whole answer. Raises EOFError when the connection ends before it does, Malformed, and OSError."""
    try:
        status, headers = _read_head(await reader.readuntil(b"\r\n\r\n"))
        return Answer(status, headers, await _read_body(reader, headers))
    except asyncio.LimitOverrunError:
        raise Malformed("a line or the headers are too long") from None


def _read_head(text: bytes) -> tuple[int, dict[str, str]]:
    status_line, *lines = text[:-4].decode("latin-1").split("\r\n")
    words = status_line.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise Malformed("no status line")
    if len(lines) > _MOST_HEADERS:
        raise Malformed("too many headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed("a header without a colon")
        headers[name.lower()] = value.strip()
    return int(words[1]), headers


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(_size(headers["content-length"], 10))
    return await _read_to_end(reader)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := _size((await reader.readuntil(b"\r\n")).split(b";")[0].strip().decode("latin-1"), 16):
        if len(body) + size > MOST_BODY_BYTES:
            raise Malformed("the body is too large")
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        continue  # trailers: the Runtime API has none that mean anything
    return bytes(body)


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(1 << 16):
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise Malformed("the body is too large")
    return bytes(body)


def _size(text: str, base: int) -> int:
    if not text.isalnum() or not text.isascii():
        raise Malformed("a length that is no number")
    try:
        size = int(text, base)
    except ValueError:
        raise Malformed("a length that is no number") from None
    if size > MOST_BODY_BYTES:
        raise Malformed("the body is too large")
    return size
