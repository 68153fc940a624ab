"""What this provider costs, each time against a named baseline in the same run: ``make bench``."""
