"""The operations brain of a self-hosted AI platform: roll-out, backups that were restored, repair, drills, reports."""

__version__ = "0.1.0"
