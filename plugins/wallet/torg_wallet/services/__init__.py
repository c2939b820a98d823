"""What the wallet does: each function is part of the caller's unit of work."""
