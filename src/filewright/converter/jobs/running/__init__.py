"""From a job to its result.

worker ─▶ runner ─▶ work: fetch ─▶ scan ─▶ convert ─▶ scan ─▶ store
│
lease
"""
