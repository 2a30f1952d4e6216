"""Server-sent events and JSON lines, cut at every byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamMalformed
from shared.providers import sse
from shared.providers.sse import EventDecoder, LineDecoder, ServerEvent


def decode(*pieces: bytes) -> list[ServerEvent]:
    decoder = EventDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    last = decoder.rest()
    return [*events, last] if last else events


STREAMS = {
    "plain": (b"data: one\n\ndata: two\n\n", [("", b"one"), ("", b"two")]),
    "no space": (b"data:one\n\n", [("", b"one")]),
    "two spaces keep one": (b"data:  one\n\n", [("", b" one")]),
    "crlf": (b"event: a\r\ndata: one\r\n\r\ndata: two\r\n\r\n", [("a", b"one"), ("", b"two")]),
    "cr": (b"data: one\r\rdata: two\r\r", [("", b"one"), ("", b"two")]),
    "several data lines": (b"data: a\ndata: b\ndata:\n\n", [("", b"a\nb\n")]),
    "comments and other fields": (b": hi\nid: 1\nretry: 5\ndata: x\nfoo: bar\n\n:bye\n\n", [("", b"x")]),
    "byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [("", b"x")]),
    "no last empty line": (b"data: x\n\ndata: y\n", [("", b"x"), ("", b"y")]),
    "no last line end": (b"data: x\n\ndata: y", [("", b"x"), ("", b"y")]),
    "last line ends in a lone cr": (b"data: x\r\n\r\ndata: y\r", [("", b"x"), ("", b"y")]),
    "utf-8": ("data: größe 🎉\n\n".encode(), [("", "größe 🎉".encode())]),
    "bare data field": (b"data\n\n", [("", b"")]),
    "empty events are none": (b"\n\n\nevent: a\n\ndata: x\n\n", [("", b"x")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_gives_the_same_events(name: str) -> None:
    stream, expected = STREAMS[name]
    wanted = [ServerEvent(*event) for event in expected]
    assert decode(stream) == wanted
    for cut in range(len(stream) + 1):
        assert decode(stream[:cut], stream[cut:]) == wanted, cut
    assert decode(*(bytes([byte]) for byte in stream)) == wanted


def test_an_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1_000)
    for piece in (b"x" * 100, b"data: " + b"x" * 93 + b"\n"):
        decoder = EventDecoder()
        with pytest.raises(UpstreamMalformed):
            for _ in range(12):
                decoder.feed(piece)


def test_a_long_event_in_small_pieces_costs_linear_time() -> None:
    decoder = EventDecoder()
    decoder.feed(b"data: ")
    for _ in range(200_000):
        decoder.feed(b"abcd")
    assert len(decoder.feed(b"\n\n")[0].data) == 800_000


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_bytes_of_any_kind_never_raise_and_cuts_never_matter(pieces: list[bytes]) -> None:
    assert decode(*pieces) == decode(b"".join(pieces))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_json_lines_do_not_depend_on_cuts(stream: bytes, cut: int) -> None:
    def lines(*pieces: bytes) -> list[bytes]:
        decoder = LineDecoder()
        found = [line for piece in pieces for line in decoder.feed(piece)]
        last = decoder.rest()
        return [*found, last] if last else found

    assert lines(stream[:cut], stream[cut:]) == lines(stream)
    assert lines(stream) == [line.strip() for line in stream.split(b"\n") if line.strip()]
