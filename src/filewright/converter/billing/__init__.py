"""What use costs: months that are closed, invoices, and whoever collects the money (`port.py`)."""
