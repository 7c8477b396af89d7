"""`filewright formats`, `routes`, `doctor` and `engines`: what can be done on this machine, and what is missing."""
