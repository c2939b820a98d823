"""The shapes of the market in bodies and answers."""
