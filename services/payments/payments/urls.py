"""Routes of the payments service."""

from bandstand.web.routers import routes
from payments.api import internal, public, webhook

urlpatterns = [
    # First, for routes are tried in order, and every order asks for these.
    *routes("internal/v1/payments/<str:key>/", internal.payment_view, name="internal-payment"),
    *routes("api/v1/payments/", public.PaymentsView.as_view(), name="payments"),
    *routes("api/v1/payments/webhook/", webhook.webhook_view, name="payment-webhook"),
    *routes("api/v1/payments/<uuid:payment_id>/", public.PaymentView.as_view(), name="payment"),
    *routes("api/v1/payments/<uuid:payment_id>/refunds/", public.RefundsView.as_view(), name="payment-refunds"),
]
