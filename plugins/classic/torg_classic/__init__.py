"""Literal addresses and shapes for clients that know no others; all work is done by contracts."""
