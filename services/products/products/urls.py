"""Routes of the products service."""

from bandstand.web.routers import routes
from products.api import CatalogueView, FeaturedView, ProductView

__all__ = ["urlpatterns"]

urlpatterns = [
    *routes("api/v1/products/", CatalogueView.as_view(), name="products"),
    *routes("api/v1/products/featured/", FeaturedView.as_view(), name="featured_products"),
    *routes("api/v1/products/<uuid:product_id>/", ProductView.as_view(), name="product"),
]
