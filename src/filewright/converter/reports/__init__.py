"""What was done, counted, for those who run the service."""
