"""Readers of the two caption formats of television. They run in the sandbox."""
