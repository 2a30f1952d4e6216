"""`GET /health`."""

from shared.web.app import ClientApp
from shared.web.health_route import HealthRoute
from shared.web.wiring import gateway, health_board

app = ClientApp(HealthRoute(gateway, lambda: health_board().read_all()), quiet=True)
