"""Who people are: passwords, keys, access tokens, sessions. What they may do with it, each product says for itself."""
