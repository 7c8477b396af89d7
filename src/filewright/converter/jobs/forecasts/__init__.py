"""How long an order will wait, and how long its work will take; and whether to take it at all."""
