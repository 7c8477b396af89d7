"""Virus scanning: what a scanner promises, ClamAV's daemon as one, several of them as one, and none at all."""
