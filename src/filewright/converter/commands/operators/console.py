"""Who acts when a command does: nobody who signed in, but somebody who may read the service's settings."""

from __future__ import annotations

OPERATOR = "operator at the console"
"""In the audit log."""
