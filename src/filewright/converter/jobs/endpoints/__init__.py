"""HTTP for jobs, batches and conversions in one call."""
