"""What each table with a tenant holds of it: what an export shows, and what an erasure leaves.

Every such table stands here, or a test fails; so nobody adds one without deciding. An export has every column that is
not `hidden`; an erasure deletes the rows, unless `kept` gives the reason why they stay, or `blanked` says with which
values they stay, as nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData, Table

TENANT = "tenant"
_ALSO_MEANS_SOMEBODY = frozenset({"tenant_id", "user_id", "owner", "owner_id", "account_id"})


@dataclass(frozen=True)
class Record:
    """One table."""

    what: str
    """In words, for whoever opens the export."""
    kept: str = ""
    """Why its rows outlive an erasure; empty: they do not."""
    hidden: frozenset[str] = frozenset()
    """Columns that are secrets, or machinery that means nothing outside."""
    blanked: Mapping[str, Any] | None = None
    """What their columns become, where the row has to stay so that every process hears that something is not good any
    more; its tenant becomes what stands for it."""
    goes_on: bool = False
    """Rows are written whenever somebody asks for anything, so there may be new ones right after an erasure."""


def _hidden(*columns: str) -> frozenset[str]:
    return frozenset(columns)


_FOR_THE_BOOKS = (
    "What invoices are made of and limits go by: seconds and bytes, no files, no names, "
    "and a tenant that is nobody any more."
)
RECORDS: Mapping[str, Record] = {
    "api_requests": Record("Requests to the API: when, what, and how they were answered.", goes_on=True),
    "api_keys": Record(
        "API keys: their names, and what they may do.",
        hidden=_hidden("sha256"),
        blanked={"user_id": "", "name": "", "hint": "", "networks": []},
    ),
    "artifacts": Record("Files: their names, kinds, sizes and digests.", hidden=_hidden("parts")),
    "attempts": Record("Each attempt at a job.", hidden=_hidden("token", "worker", "swept")),
    "audit_logs": Record(
        "Acts that matter for security.",
        kept="The log can only be added to. What names a person stands elsewhere and is deleted there.",
    ),
    "credits": Record("Credits that were given or bought.", kept=_FOR_THE_BOOKS),
    "email_codes": Record("Links that were sent by mail and not used yet.", hidden=_hidden("sha256")),
    "erasures": Record(
        "Erasures that were asked for.",
        kept="The proof of an erasure. At its end it holds nothing but a digest of the tenant's name.",
    ),
    "file_hashes": Record("Contents that several files consist of, by digest.", hidden=_hidden("parts")),
    "fonts": Record("Fonts that were brought for documents. Their bytes are among the files."),
    "idempotency_keys": Record(
        "Keys that requests came with, and what they were answered.", hidden=_hidden("claim", "claimed_until", "body")
    ),
    "job_endings": Record("Ends of jobs that somebody is about to be told of."),
    "job_events": Record("What happened to each job, and when."),
    "job_inputs": Record("The files that jobs were given."),
    "job_outputs": Record("The files that jobs made."),
    "job_secrets": Record("Passwords of files, sealed while their job waits.", hidden=_hidden("sealed")),
    "invoices": Record("Invoices.", kept="The law asks for them. They hold a number, a month and sums."),
    "jobs": Record("Jobs.", hidden=_hidden("lease_token", "lease_until", "worker", "hint_at", "hint_n")),
    "mail_outbox": Record("Letters that are still to be sent.", hidden=_hidden("sealed")),
    "payers": Record("By what name who collects payments knows the payer."),
    "tenant_gates": Record("When the last job was accepted, and when fonts were changed last.", goes_on=True),
    "uploads": Record("Uploads.", hidden=_hidden("parts", "revision")),
    "usage": Record("What each job that succeeded used.", kept=_FOR_THE_BOOKS),
    "usage_months": Record("What was used in each month, in sums.", kept=_FOR_THE_BOOKS),
    "user_identities": Record("Sign-ins by way of others."),
    "user_sessions": Record(
        "Sessions: when, from where, with which browser.",
        hidden=_hidden("token_sha256"),
        blanked={"user_id": "", "token_sha256": "", "address": None, "agent": None},
    ),
    "webhook_deliveries": Record("What was told to webhooks, and when.", hidden=_hidden("lease_token", "lease_until")),
    "webhooks": Record("Addresses that are told of the ends of jobs.", hidden=_hidden("secret", "old_secret")),
    "users": Record("The account.", hidden=_hidden("password_hash")),
}


def tables_of_tenants(metadata: MetaData) -> list[Table]:
    """Every table with a tenant, those that others refer to first."""
    return [table for table in metadata.sorted_tables if TENANT in table.columns]


def uncovered(metadata: MetaData) -> set[str]:
    """Tables that hold something of somebody, and of which nobody has said what becomes of it."""
    return {table.name for table in metadata.tables.values() if _is_somebodys(table)} - set(RECORDS)


def _is_somebodys(table: Table) -> bool:
    return bool((_ALSO_MEANS_SOMEBODY | {TENANT}) & set(table.columns.keys()))
