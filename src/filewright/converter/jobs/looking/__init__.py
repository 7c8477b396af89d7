"""Jobs as their owners see them. Nothing here writes."""
