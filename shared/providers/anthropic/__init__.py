"""The Anthropic Messages wire: requests, answers, and the quirks of each model family."""
