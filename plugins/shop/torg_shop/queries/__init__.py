"""What the shop asks of the database."""
