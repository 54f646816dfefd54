"""What is measured behind the middleware: a plain view, an empty REST framework view, a list of 20 rows."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet


class UserSerializer(ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "date_joined"]


class Users(ReadOnlyModelViewSet):  # type: ignore[type-arg]
    serializer_class = UserSerializer

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return User.objects.order_by("id")[:20]


def plain(_: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok", "id": 1})


@api_view(["GET"])
def empty(_: Request) -> Response:
    return Response({"status": "ok", "id": 1})


urlpatterns: list[URLPattern] = [
    path("plain", plain),
    path("empty", empty),
    path("list", Users.as_view({"get": "list"})),
]
