"""The tables of people: who they are, what they sign in with, and where they are signed in.

No row holds anything that lets somebody in: passwords are argon2id hashes, keys and codes are digests of long random
texts, signing keys are sealed. Every row that belongs to a person has that person's tenant.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base, UtcDateTime

_TENANT = String(128)


class UserRow(Base):
    """A person. The tenant is the id: what a person makes belongs to that person."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT, index=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case."""
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_hash: Mapped[str | None] = mapped_column(Text)
    """None: this person signs in elsewhere."""
    tier: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    """`user` or `admin`."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserIdentityRow(Base):
    """A person as somebody else's service knows them."""

    __tablename__ = "user_identities"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT, index=True)
    user_id: Mapped[str] = mapped_column(String(40), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EmailCodeRow(Base):
    """A code that was sent by mail, good once and for a while."""

    __tablename__ = "email_codes"
    __table_args__ = (Index("ix_email_codes_user_id_created_at", "user_id", "created_at"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT, index=True)
    user_id: Mapped[str] = mapped_column(String(40))
    purpose: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiKeyRow(Base):
    """A key that a program carries for a person."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_tenant_id", "tenant", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    user_id: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(24))
    """Its first letters, by which its owner knows it again."""
    name: Mapped[str] = mapped_column(Text)
    live: Mapped[bool] = mapped_column(Boolean)
    scopes: Mapped[list[str]]
    networks: Mapped[list[str]]
    """Where it may be used from; empty: anywhere."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """To about half a minute."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class SigningKeyRow(Base):
    """A key that access tokens are signed with, sealed under the server's secret."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signs_from: Mapped[datetime] = mapped_column(UtcDateTime)
    """A while after it was made, so that every process knows it before the first token comes."""
    good_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """None: until another one follows it."""


class UserSessionRow(Base):
    """A person signed in from one place, for as long as refresh tokens are exchanged.

    Its beginning is part of its key, because PostgreSQL finds the partition by it; an id that holds its moment, as all
    of ours do, leads there.
    """

    __tablename__ = "user_sessions"
    __table_args__ = (
        Index("ix_user_sessions_id", "id"),
        Index("ix_user_sessions_tenant_created_at", "tenant", "created_at"),
        Index("ix_user_sessions_ended_at", "ended_at"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    user_id: Mapped[str] = mapped_column(String(40))
    token_sha256: Mapped[str] = mapped_column(String(64))
    """Of the refresh token that is good now; an older one that comes again ends the session."""
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(32))
    address: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str | None] = mapped_column(Text)
