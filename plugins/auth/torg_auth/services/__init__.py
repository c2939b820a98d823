"""What accounts do: called alike by routes, jobs, the command line and tests."""
