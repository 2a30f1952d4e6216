"""AI Queue Master: OpenAI's wire with headers that say who asks and how urgently."""
