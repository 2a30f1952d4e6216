"""`GET /v1/models` and `GET /v1/models/{id}`."""

from shared.web.app import ClientApp
from shared.web.models_route import ModelsRoute
from shared.web.wiring import client_access, gateway

app = ClientApp(ModelsRoute(gateway), client_access())
