"""What depends on the host that the app runs on: limits, guards, accounts, Spaces."""
