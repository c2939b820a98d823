"""Rules of the shop, pure: no database and no web."""
