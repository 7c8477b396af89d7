"""One real sandbox for the tests of several folders."""
