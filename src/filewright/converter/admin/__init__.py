"""What operators look at and do, across all tenants: for the scope `admin` only, and written in the audit log."""
