"""Bandstand: a microservice chassis for Django."""
