"""The two shapes of the service, for tests that speak to one as its users do and must not care which it is."""
