"""`GET /v1/models` and `GET /v1/models/{id}`."""

from shared.web.models_route import ModelsRoute
from shared.web.wiring import client_app, gateway

app = client_app(ModelsRoute(gateway))
