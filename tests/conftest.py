"""What every test has: real databases and stores, a clock, and the account of which requirement is proven where."""

pytest_plugins = ["filewright.chassis.testing.fixtures", "filewright.chassis.testing.requirements"]
