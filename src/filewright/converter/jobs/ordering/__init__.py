"""From an order to a job.

fetching ─▶ ordering ─▶ planning ─▶ result_keys ─▶ gathering ─▶ the database
│                        │
room                    known: the result is there already
"""
