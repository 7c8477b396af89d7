"""How fast somebody may ask: one law (`gcra.py`), kept in one process (`memory.py`) or by many (`shared.py`)."""
