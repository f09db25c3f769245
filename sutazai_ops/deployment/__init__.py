"""Releases of the platform: what should run is made from files, held against what runs, and carried out."""
