"""Backups that were restored: dump, snapshot, verify, retain, restore."""
