"""WHERE it runs: the one door to every running service."""
