"""Statistics over whatever is enabled: plugins say what can be counted, this one counts it."""
