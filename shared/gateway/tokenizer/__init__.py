"""OpenAI's tokenizers with their own vocabularies; nothing is read before the first text is counted."""
