"""Mechanisms that any product could stand on. No product word ("conversion", "format", "route") appears in here."""
