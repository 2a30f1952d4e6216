"""Ollama's own wire: `/api/chat`, `/api/generate`, `/api/embed`, `/api/tags`."""
