"""What can be done with auctions, called alike by routes, jobs, the command line and the demo."""
