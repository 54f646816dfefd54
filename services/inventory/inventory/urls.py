"""Routes of the inventory service."""

from bandstand.web.routers import routes
from inventory.api.internal import commitment, reservation
from inventory.api.public import AdjustmentsView, StockView, UpdateInventoryView

__all__ = ["urlpatterns"]

urlpatterns = [
    # First, for routes are tried in order, and every order asks for these.
    *routes("internal/v1/reservations/<str:key>/", reservation, name="reservation"),
    *routes("internal/v1/reservations/<str:key>/commit/", commitment, name="commit_reservation"),
    *routes("api/v1/inventory/<uuid:product_id>/", StockView.as_view(), name="stock"),
    *routes("api/v1/inventory/<uuid:product_id>/adjustments/", AdjustmentsView.as_view(), name="adjustments"),
    *routes(
        "api/v1/products/<uuid:product_id>/update_inventory/", UpdateInventoryView.as_view(), name="update_inventory"
    ),
]
