"""`filewright serve`, and the roles of a service that is several processes."""
