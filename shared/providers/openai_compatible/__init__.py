"""Backends that speak OpenAI's wire: chat completions, legacy completions, embeddings, models."""

from shared.providers.openai_compatible.adapter import OpenAICompatible

__all__ = ["OpenAICompatible"]
