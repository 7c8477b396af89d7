"""Who people are: so far the table of their sessions, partitioned by time from the first day."""
