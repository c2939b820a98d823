"""The shapes of bodies and answers."""
