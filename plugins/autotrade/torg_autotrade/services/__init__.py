"""What the market does: each function is part of the caller's unit of work, but for `runs`."""
