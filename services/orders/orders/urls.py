"""Routes of the orders service."""

from bandstand.web.routers import routes
from orders import api

urlpatterns = [
    *routes("api/v1/orders/", api.OrdersView.as_view(), name="orders"),
    *routes("api/v1/orders/statistics/", api.StatisticsView.as_view(), name="order-statistics"),
    *routes("api/v1/orders/<uuid:order_id>/", api.OrderView.as_view(), name="order"),
    *routes("api/v1/orders/<uuid:order_id>/cancel/", api.CancelView.as_view(), name="order-cancel"),
    *routes("api/v1/users/<uuid:user_id>/orders/", api.UserOrdersView.as_view(), name="user-orders"),
]
