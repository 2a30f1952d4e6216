"""Chat completions, as a chat route needs them."""

from __future__ import annotations

from shared.protocols.openai_chat.parse import parse
from shared.protocols.openai_chat.render import KEEP_ALIVE, ChunkRenderer, render_whole
from shared.protocols.openai_errors import error_body


class OpenAIChat:
    name = "openai_chat"
    media_type = "text/event-stream; charset=utf-8"
    keep_alive = KEEP_ALIVE
    parse = staticmethod(parse)
    stream = ChunkRenderer
    whole = staticmethod(render_whole)
    error = staticmethod(error_body)
