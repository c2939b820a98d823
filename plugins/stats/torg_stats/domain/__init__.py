"""Rules without Flask and SQLAlchemy: time, sums, words of a query, drawings."""
