"""The tables come from the migrations, and the database's clock is the test's; `billingkit` is on the path."""

import sys
from pathlib import Path

from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]

sys.path.insert(0, str(Path(__file__).parent))
