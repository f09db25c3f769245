"""Models: what Ollama holds, as a manifest says: pulled, pinned by digest, warm, measured, and shared by all who ask.

Nothing here is done to a server before it stands in a plan (`plan.py`), and a plan is made of values alone. What is
known of Ollama is its documented interface: anything that speaks it will do.
"""
