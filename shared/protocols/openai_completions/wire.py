"""Legacy completions, as a chat route needs them."""

from __future__ import annotations

from shared.protocols.openai_chat.render import KEEP_ALIVE
from shared.protocols.openai_completions.parse import parse
from shared.protocols.openai_completions.render import CompletionRenderer, render_whole
from shared.protocols.openai_errors import error_body


class OpenAICompletions:
    name = "openai_completions"
    media_type = "text/event-stream; charset=utf-8"
    keep_alive = KEEP_ALIVE
    parse = staticmethod(parse)
    stream = CompletionRenderer
    whole = staticmethod(render_whole)
    error = staticmethod(error_body)
