"""The API of payments: `public` for people, `internal` for orders, `webhook` for the provider."""
