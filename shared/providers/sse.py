"""Server-sent events and JSON lines, decoded from pieces cut at any byte.

The rules are those of the WHATWG HTML standard, section 9.2.6: CR, LF or CRLF end a line, an empty line ends an event,
`data` lines join with LF, comments and unknown fields are ignored, one leading BOM is ignored.
"""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import UpstreamMalformed

MAX_EVENT_BYTES = 8 * 1024 * 1024


class ServerEvent(NamedTuple):
    """`event` is empty where the stream named none."""

    event: str
    data: bytes


class EventDecoder:
    """`feed` pieces, get whole events; `rest` is what no empty line has ended when the stream is over."""

    def __init__(self) -> None:
        self._buffer = b""
        self._parts: list[bytes] = []  # pieces without a line end, joined once: a long event costs linear time
        self._held = 0
        self._start = True
        self._data: list[bytes] = []
        self._event = ""
        self._size = 0

    def feed(self, piece: bytes) -> list[ServerEvent]:
        if not self._start and b"\n" not in piece and b"\r" not in piece and not self._buffer.endswith(b"\r"):
            self._parts.append(piece)
            self._held += len(piece)
            if self._held > MAX_EVENT_BYTES:
                raise UpstreamMalformed(f"the backend sent an event of more than {MAX_EVENT_BYTES} bytes")
            return []
        if self._parts:
            piece = b"".join((*self._parts, piece))
            self._parts, self._held = [], 0
        buffer = self._buffer + piece if self._buffer else piece
        if self._start:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._buffer = buffer
                return []
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._start = False
        if buffer.endswith(b"\r"):  # may be half of a CRLF
            held, buffer = b"\r", buffer[:-1]
        else:
            held = b""
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._buffer = lines.pop() + held
        if len(self._buffer) + self._size > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the backend sent an event of more than {MAX_EVENT_BYTES} bytes")
        events: list[ServerEvent] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size += len(line)
            elif not line:
                if self._data:
                    events.append(ServerEvent(self._event, b"\n".join(self._data)))
                self._data, self._event, self._size = [], "", 0
            elif line.startswith(b"event:"):
                self._event = line[6:].strip().decode("utf-8", "replace")
            elif line == b"data":
                self._data.append(b"")
            # comments, id, retry and anything else: not ours to read
        return events

    def rest(self) -> ServerEvent | None:
        """The last event of a stream that ended without its empty line, if there is one."""
        last = (self._buffer + b"".join(self._parts)).removesuffix(b"\r")
        self._buffer, self._parts, self._held = b"", [], 0
        if last:
            events = self.feed(last + b"\n")
            if events:  # the stream's very last line was a lone CR or LF
                return events[0]
        if not self._data:
            return None
        event = ServerEvent(self._event, b"\n".join(self._data))
        self._data = []
        return event


class LineDecoder:
    """JSON lines: `feed` pieces, get whole lines without blanks; `rest` is an unfinished last line."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[bytes]:
        lines = (self._buffer + piece).split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the backend sent a line of more than {MAX_EVENT_BYTES} bytes")
        return [line for line in map(bytes.strip, lines) if line]

    def rest(self) -> bytes:
        last, self._buffer = self._buffer.strip(), b""
        return last
