"""`POST /v1/chat/completions`."""

from shared.protocols.openai_chat.wire import OpenAIChat
from shared.web.wiring import chat_app

app = chat_app(OpenAIChat())
