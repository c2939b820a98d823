"""Reading accounts: column selects, no rules, no changes."""
