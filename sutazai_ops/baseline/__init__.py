"""Baselines: what the platform takes to answer a known load, measured, kept, and compared with what it took before.

Requests are named in a file, their rate and their time are bounded, and nothing but the environment that was named is
ever asked.
"""
