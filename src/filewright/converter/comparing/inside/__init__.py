"""What of a comparison runs in the sandbox."""
