"""The built-in backend: a first answer without a key, a network or a model."""

from shared.providers.demo.adapter import Demo

__all__ = ["Demo"]
