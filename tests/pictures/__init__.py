"""A package, so that pytest ends what its fixtures start before it goes on to other tests."""
