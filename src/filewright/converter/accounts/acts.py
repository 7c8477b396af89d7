"""What people and operators do with accounts, as the audit log calls it."""

from __future__ import annotations

from filewright.chassis.audit.acts import declare

OPENED = declare("account.opened", "an account was opened: by registration, an operator, or a sign-in elsewhere")
KNOWN_ALREADY = declare("account.known", "somebody signed up with an address that has an account; its owner was told")
CHANGED = declare("account.changed", "an operator gave an account another role or tier")
DISABLED = declare("account.disabled", "an operator shut an account; its sessions ended")
ENABLED = declare("account.enabled", "an operator opened an account again")
CREDITED = declare("account.credited", "an operator gave an account credits")

SIGNED_IN = declare("session.begun", "somebody signed in: by password, or elsewhere")
ENDED = declare("session.ended", "a session was ended by whoever has it: signed out, here or there")
LOGIN_FAILED = declare(
    "login.failed",
    "a wrong password, or an address without an account, or one that is shut",
    by_actor="login_failed_network",
    by_subject="login_failed",
)
LOGIN_BLOCKED = declare("login.blocked", "too many tries to sign in; no password was looked at")

VERIFIED = declare("email.verified", "an address was confirmed by the code from a letter")
LETTER_ASKED = declare("letter.asked", "a letter with a code was asked for; `for` says what for")
CODE_REFUSED = declare("code.refused", "a code from a letter was not good", by_actor="token_forged")
PASSWORD_CHANGED = declare("password.changed", "a password was changed by its owner; other sessions ended")
PASSWORD_RESET = declare("password.reset", "a password was set anew by the code from a letter; all sessions ended")
LINKED = declare("identity.linked", "an identity elsewhere leads to this account from now on")

KEY_MADE = declare("key.created", "an API key was made")
KEY_REVOKED = declare("key.revoked", "an API key was revoked, by its owner or an operator")
KEY_EXPIRED = declare("key.expired", "an API key was used that is past its end")
KEY_MISPLACED = declare(
    "key.misplaced",
    "a good API key was sent from a network that it may not be used from",
    by_subject="key_misplaced",
)
KEY_NEW_PLACE = declare("key.new_network", "an API key was used from a network that it had not been used from before")
TOKEN_REFUSED = declare(
    "token.refused", "a token or API key that was never ours, or is revoked", by_actor="token_forged"
)
