"""What a person can type: one module a subject. A command asks, calls and shows; it decides nothing itself."""
