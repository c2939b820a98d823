"""Rules of accounts as pure functions: names, passwords, codes, tokens, roles, devices."""
