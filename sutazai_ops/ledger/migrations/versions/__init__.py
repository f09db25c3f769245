"""One module a step, named for its number and what it does."""
