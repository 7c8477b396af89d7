"""Letters to people: a port, an adapter for SMTP, one for a folder, and the outbox that letters leave by."""
