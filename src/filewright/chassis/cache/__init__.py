"""Keeping for a while what can be made again: near, in the process, over far, in a Redis that all processes share."""
