"""`filewright admin` and `tiers`: for whoever may read the service's settings."""
