"""Functions that run inside the sandbox."""
