"""Runs inside LitServe's environment: a chat and embeddings behind LitServe's OpenAI wire.

Whoever is spoken to last answers with what was said, word by word; with tools, the first one is called.
"""

import sys
from collections.abc import Iterator

import litserve
from fastapi import HTTPException
from litserve.specs.openai import ChatCompletionRequest, ChatMessage, ChatMessageWithUsage


class Chat(litserve.LitAPI):
    def setup(self, device: str) -> None:
        """There is no model to load."""

    def predict(self, request: ChatCompletionRequest) -> Iterator[ChatMessage]:
        last = request.messages[-1]
        said = last.content if isinstance(last.content, str) else ""
        if said == "fail":
            raise HTTPException(503, "the model is gone")
        if request.tools and last.role == "user":
            call = {
                "id": "call_a",
                "function": {"name": request.tools[0].function.name, "arguments": '{"city": "Oslo"}'},
            }
            yield ChatMessage(role="assistant", tool_calls=[call])
            return
        for word in f"{last.role} said {said}".split(" ")[: request.max_completion_tokens or request.max_tokens]:
            yield ChatMessage(role="assistant", content=f"{word} ")
            if said == "fail late":
                raise HTTPException(503, "the model is gone")
        if request.model != "uncounted":
            counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
            yield ChatMessageWithUsage(role="assistant", content="", **counts)

    def encode_response(self, output: Iterator[ChatMessage]) -> Iterator[ChatMessage]:
        yield from output


class Embeddings(litserve.LitAPI):
    def setup(self, device: str) -> None:
        """There is no model to load."""

    def predict(self, texts: str | list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in ([texts] if isinstance(texts, str) else texts)]


if __name__ == "__main__":
    chat, embeddings = Chat(spec=litserve.OpenAISpec()), Embeddings(spec=litserve.OpenAIEmbeddingSpec())
    server = litserve.LitServer([chat, embeddings], accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
