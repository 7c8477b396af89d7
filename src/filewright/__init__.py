"""Filewright turns any file into the form a person needs, on one laptop or on a fleet."""

__version__ = "0.1.0"
