"""What the service writes to people. Plain text, one purpose each, and nothing to click but the service's own page."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.mail.port import Letter

_FOOT = "\n-- \nFilewright. You get this because somebody entered your address. If it was not you, do nothing.\n"


@dataclass(frozen=True)
class Letters:
    """All letters. `public_url`: where people find the service; without it they get the codes alone."""

    public_url: str | None = None

    def verify(self, to: str, code: str) -> Letter:
        """The address has to be confirmed."""
        text = f"Confirm that this address is yours.\n\n{self._way('verify', code)}\n\nThis is good for two days.\n"
        return Letter(to, "Confirm your address", text + _FOOT)

    def reset(self, to: str, code: str) -> Letter:
        """Somebody forgot the password."""
        text = f"Set a new password.\n\n{self._way('reset', code)}\n\nThis is good for one hour, and once.\n"
        return Letter(to, "Set a new password", text + _FOOT)

    def known_already(self, to: str, code: str) -> Letter:
        """Somebody signs up with an address that has an account."""
        text = (
            "There is an account with this address already: sign in with your password.\n\n"
            f"If you have forgotten it, set a new one.\n\n{self._way('reset', code)}\n\n"
            "This is good for one hour, and once.\n"
        )
        return Letter(to, "You have an account already", text + _FOOT)

    def password_changed(self, to: str) -> Letter:
        """So that a person whose account was taken over hears of it."""
        text = "The password of your account was changed, and all other sessions were ended.\n"
        return Letter(to, "Your password was changed", text + _FOOT)

    def _way(self, page: str, code: str) -> str:
        if self.public_url is None:
            return f"Your code:\n\n    {code}"
        # Behind the #, so that no server and no log on the way ever sees it.
        return f"    {self.public_url}/account/{page}#code={code}\n\nOr enter this code:\n\n    {code}"
