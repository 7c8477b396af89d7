"""All that is done with accounts, by one name: for tests that speak of people and operators in one breath."""

from __future__ import annotations

from filewright.converter.bootstrap.people import accounts_on


class Accounts:
    """Wired as in the service."""

    def __init__(self, **parts):
        having = accounts_on(**parts)
        self.register = having.signing_up.register
        self.ask_for_verification = having.signing_up.ask_for_verification
        self.verify = having.signing_up.verify
        self.login = having.signing_in.login
        self.refresh = having.signing_in.refresh
        self.ask_for_reset = having.recovery.ask_for_reset
        self.reset = having.recovery.reset
        self.create = having.accounts.create
        self.find = having.accounts.find
        self.change = having.accounts.change
        self.set_disabled = having.accounts.set_disabled
