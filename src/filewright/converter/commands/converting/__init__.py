"""`filewright convert` and `operate`: what was typed, carried out here or on a server, and where the results go."""
