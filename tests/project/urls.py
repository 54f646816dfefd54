"""Routes of the test project; tests bring their own with `@pytest.mark.urls`."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
