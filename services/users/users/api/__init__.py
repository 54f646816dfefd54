"""The API of users: accounts, authentication, and what orders asks."""
