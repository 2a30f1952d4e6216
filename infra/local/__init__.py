"""The laptop: the same functions behind uvicorn, with AWS in a process of its own."""
