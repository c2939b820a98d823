"""What the shop does; nothing in here commits."""
