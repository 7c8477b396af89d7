"""Files that a scanner must find, and things that only sound like a scanner."""
