"""Pure rules of the wallet: no database, no clock, no web."""
