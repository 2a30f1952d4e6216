"""The deployment on one screen: which function serves which route, and how. A route that is not here does not exist."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Access: TypeAlias = Literal["client", "admin", "public"]


class Route(NamedTuple):
    """`path` is API Gateway's spelling; `aliases` are the original's other names for the same."""

    methods: tuple[str, ...]
    path: str
    function: str
    access: Access
    streams: bool = False
    memory_mb: int = 256
    timeout_seconds: int = 29
    aliases: tuple[str, ...] = ()
    concurrency: int | None = None  # reserved for the function in the cloud; None: the deployment decides

    @property
    def served_methods(self) -> tuple[str, ...]:
        """With HEAD, for whoever watches the service."""
        return (*self.methods, "HEAD") if self.access != "admin" and "GET" in self.methods else self.methods

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.aliases)


ROUTES: tuple[Route, ...] = (
    Route(
        ("POST",), "/v1/chat/completions", "chat_completions", "client",
        True, 512, 900, ("/chat/completions", "/api/chat/completions"),
    ),
    Route(("POST",), "/v1/completions", "completions", "client", True, 512, 900, ("/completions",)),
    Route(("POST",), "/v1/embeddings", "embeddings", "client", True, 512, 900, ("/embeddings", "/api/v1/embeddings")),
    Route(("GET",), "/v1/models", "models", "client", aliases=("/models", "/api/models", "/api/v1/models")),
    Route(("GET",), "/v1/models/{model+}", "models", "client", aliases=("/models/{model+}",)),
    Route(("GET",), "/health", "health", "public"),
    Route(
        ("GET", "POST"), "/api/admin/endpoints", "admin_endpoints", "admin", aliases=("/endpoints", "/api/endpoints")
    ),
    Route(
        ("GET", "PUT", "DELETE"), "/api/admin/endpoints/{id}", "admin_endpoints", "admin", aliases=("/endpoints/{id}",)
    ),
    Route(
        ("GET", "DELETE"), "/api/admin/endpoints/{id}/delete", "admin_endpoints", "admin",
        aliases=("/endpoints/{id}/delete",),
    ),
    Route(
        ("POST",), "/api/admin/endpoints/{id}/test", "admin_endpoint_probe", "admin", aliases=("/endpoints/{id}/test",)
    ),
    Route(
        ("GET",), "/api/admin/endpoints/{id}/models", "admin_endpoint_probe", "admin",
        aliases=("/endpoints/{id}/models",),
    ),
    Route(
        ("GET", "POST"), "/api/admin/virtual-models", "admin_virtual_models", "admin",
        aliases=("/virtual-models", "/api/virtual-models"),
    ),
    Route(
        ("GET", "PUT", "DELETE"), "/api/admin/virtual-models/{id}", "admin_virtual_models", "admin",
        aliases=("/virtual-models/{id}",),
    ),
    Route(
        ("GET", "DELETE"), "/api/admin/virtual-models/{id}/delete", "admin_virtual_models", "admin",
        aliases=("/virtual-models/{id}/delete",),
    ),
    Route(("GET",), "/api/admin/virtual-models/{id}/prices", "admin_virtual_models", "admin"),
    Route(("GET",), "/api/admin/price-proposals", "admin_virtual_models", "admin"),
    Route(
        ("GET", "POST"), "/api/admin/api-keys", "admin_api_keys", "admin", aliases=("/api/admin/inbound-api-keys",)
    ),
    Route(
        ("GET", "PUT", "DELETE"), "/api/admin/api-keys/{id}", "admin_api_keys", "admin",
        aliases=("/api/admin/inbound-api-keys/{id}",),
    ),
    Route(("POST",), "/api/admin/api-keys/{id}/rotate", "admin_api_keys", "admin"),
    Route(("GET",), "/api/admin/api-keys/{id}/use", "admin_api_keys", "admin"),
    Route(
        ("GET", "POST"), "/api/admin/tool-patterns", "admin_tool_patterns", "admin",
        aliases=("/tool-patterns", "/endpoints/patterns"),
    ),
    Route(
        ("POST",), "/api/admin/tool-patterns/test", "admin_tool_patterns", "admin",
        aliases=("/tool-patterns/test", "/endpoints/patterns/test"),
    ),
    Route(
        ("GET", "PUT", "DELETE"), "/api/admin/tool-patterns/{id}", "admin_tool_patterns", "admin",
        aliases=("/tool-patterns/{id}", "/endpoints/patterns/{id}"),
    ),
    Route(("GET",), "/api/admin/activity", "admin_activity", "admin"),
    Route(("GET",), "/api/admin/usage", "admin_usage", "admin", memory_mb=1_024),
    Route(("GET",), "/api/admin/usage/by_model", "admin_usage", "admin", memory_mb=1_024),
    Route(("GET",), "/api/admin/usage/by_endpoint", "admin_usage", "admin", memory_mb=1_024),
    Route(("GET",), "/api/admin/usage/by_key", "admin_usage", "admin", memory_mb=1_024),
    Route(("GET",), "/api/admin/usage/by_hour", "admin_usage", "admin", memory_mb=1_024),
    Route(("GET",), "/api/admin/usage/embeddings", "admin_usage", "admin", memory_mb=1_024),
    Route(("POST",), "/api/admin/usage/export", "admin_usage_export", "admin", True, 256, 900),
    Route(("GET", "PUT"), "/api/admin/settings", "admin_settings", "admin"),
    Route(("GET",), "/api/admin/config/export", "admin_config", "admin", memory_mb=512),
    Route(("POST",), "/api/admin/config/import", "admin_config", "admin", memory_mb=512),
    Route(("GET",), "/api/admin/audit", "admin_audit", "admin"),
    Route(("GET",), "/session/validate", "admin_session", "public"),
    Route(("POST",), "/session/logout", "admin_session", "public"),
)  # fmt: skip
