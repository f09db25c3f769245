"""Watching what runs: probes, signals, thresholds."""
