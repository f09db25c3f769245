"""Objectives: what users had, held against what was promised."""
