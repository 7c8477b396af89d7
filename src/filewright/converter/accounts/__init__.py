"""Accounts: signing up and in, letters with codes, sessions and API keys, and who a request comes from."""
