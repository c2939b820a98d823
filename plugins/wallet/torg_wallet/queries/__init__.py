"""Reads of the wallet: plain columns, a constant number of statements."""
