"""`POST /v1/embeddings`."""

from shared.web.app import ClientApp
from shared.web.embedding_route import EmbeddingRoute
from shared.web.wiring import client_access, gateway, settings

app = ClientApp(
    EmbeddingRoute(gateway, max_body_bytes=settings().max_body_bytes, default_model=settings().embedding_model),
    client_access(),
    trusted_proxies=settings().trusted_proxies,
)
