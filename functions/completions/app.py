"""`POST /v1/completions`."""

from shared.protocols.openai_completions.wire import OpenAICompletions
from shared.web.wiring import chat_app

app = chat_app(OpenAICompletions())
