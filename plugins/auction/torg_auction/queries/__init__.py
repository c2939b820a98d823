"""Reads of auctions: plain columns, a constant number of statements, never a secret maximum.

Only `proof` reads maxima, for the replay that no route shows.
"""
