"""Servers for tests of what is said over HTTP, in either shape, with a converter that does what its input says."""
