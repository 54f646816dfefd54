"""Migrations of bandstand.auth."""
