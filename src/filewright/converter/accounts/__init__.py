"""Accounts: signing up and in, letters with codes, sessions and API keys, and who a request comes from.

    signing_up    opening an account, confirming its address      signing_in    with a password; staying in; out again
    recovery      a new password, by a letter                     elsewhere     signing in by a provider's word
    own_account   what people see and change of theirs            managing      what operators do with accounts

These stand on `opening` (the row of a new account), `account_passwords`, `code_letters` and `logbook` (what is written
down of it all).

Whoever is not signed in learns nothing about who has an account: what is answered to an address with an account and to
one without is the same, to the letter, and made by the same work (`codes.py`, `chassis.identity.passwords`).
"""
