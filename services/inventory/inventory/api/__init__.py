"""What the inventory answers: `public` to anybody and staff, `internal` to the orders service."""
