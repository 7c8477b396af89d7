"""Who did what, for those who have to know later: so far the table, partitioned by time from the first day."""
