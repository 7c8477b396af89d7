"""Every table of the program, imported so that `Base.metadata` knows it. A feature with tables adds its line here."""

from __future__ import annotations

from filewright.chassis.audit import models as audit
from filewright.chassis.coordination import leader, ticks
from filewright.chassis.db.base import Base
from filewright.chassis.flags import models as flags
from filewright.chassis.identity import models as identity
from filewright.chassis.mail import outbox_model as mail
from filewright.chassis.queue import outbox
from filewright.chassis.web import idempotency_model, request_log_model
from filewright.converter.admin import models as admin
from filewright.converter.artifacts import models as artifacts
from filewright.converter.billing import models as billing
from filewright.converter.choices import models as choices
from filewright.converter.fonts import models as fonts
from filewright.converter.jobs import models as jobs
from filewright.converter.privacy import models as privacy
from filewright.converter.uploads import models as uploads
from filewright.converter.webhooks import models as webhooks

__all__ = [
    "admin",
    "artifacts",
    "audit",
    "billing",
    "choices",
    "flags",
    "fonts",
    "idempotency_model",
    "identity",
    "jobs",
    "leader",
    "mail",
    "metadata",
    "outbox",
    "privacy",
    "request_log_model",
    "ticks",
    "uploads",
    "webhooks",
]

metadata = Base.metadata
