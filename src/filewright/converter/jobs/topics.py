"""Names of what is announced on the `Notifier` about jobs. An announcement says "look again", nothing more."""

from __future__ import annotations


def changed(job_id: str) -> str:
    """After every change of a job that its owner can see."""
    return f"job:{job_id}"


def stop(job_id: str) -> str:
    """When a job that may be running is to stop."""
    return f"job-stop:{job_id}"
