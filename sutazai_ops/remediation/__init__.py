"""What repairs itself, carefully: incidents, the guard that decides, the playbooks it decides about."""
