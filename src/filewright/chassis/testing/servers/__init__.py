"""Real servers, private to one test session: databases, a pooler, an S3 service, on free ports, gone at its end."""
