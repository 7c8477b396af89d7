"""What is done to a job that is there: by its owner, and by operators."""
