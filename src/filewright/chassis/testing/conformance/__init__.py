"""One suite for each port. An adapter's tests subclass it and say how to make the adapter; nothing is left out."""
