"""`POST /v1/embeddings`."""

from shared.web.embedding_route import EmbeddingRoute
from shared.web.wiring import client_app, gateway, settings

app = client_app(
    EmbeddingRoute(gateway, max_body_bytes=settings().max_body_bytes, default_model=settings().embedding_model)
)
