"""HTTP as every product on this chassis speaks it: problems, request ids, limits, cursors, idempotency, health.

Nothing here knows what the product does. `app.py` is the factory; read it first.
"""
