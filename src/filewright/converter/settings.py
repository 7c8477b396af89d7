"""What an operator can set: environment variables `FILEWRIGHT_*`, or lines `NAME=value` in the file that
`FILEWRIGHT_CONFIG` names. Read once, in `bootstrap`; everything else is handed values.

A weak, missing, contradictory or misspelt setting stops the program with a sentence that names it and says what would
be right (`SettingsError`). Each field's description is its entry in `docs/settings.md`.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from filewright.chassis.audit.alarms import parse_patterns
from filewright.chassis.identity.known_passwords import BreachedPasswords
from filewright.chassis.identity.provider import ProviderSettings
from filewright.chassis.mail.smtp_address import SmtpServer, parse_smtp_address
from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.storage.encryption.master import keys_in
from filewright.chassis.storage.s3_address import parse_s3_address

PREFIX = "FILEWRIGHT_"
DEFAULT_REQUEST_LOG_DAYS = 30
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^<>@\x00-\x1f]+ <[^\s<>@]+@[^\s<>@]+>")
SandboxName = Literal["isolated", "confined", "limited"]


class SettingsError(Exception):
    """A setting is wrong. The message names it and says what would be right."""


class DatabasePooler(BaseModel):
    """What a pooler in front of the database allows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: Annotated[int, Field(ge=1)]
    servers: Annotated[int, Field(ge=1)]


def default_slots() -> int:
    """As many conversions at once as there are cores this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


class Settings(BaseModel):
    """Checked settings. The name of the environment variable is `FILEWRIGHT_` and the field's name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Annotated[Path, Field(description="Directory for the database, stored files and work in progress.")] = (
        Path("filewright-data")
    )
    database_url: Annotated[
        str | None,
        Field(
            description="`sqlite:///file` or `postgresql://user:password@host/name`. Without it: SQLite in `DATA_DIR`.",
        ),
    ] = None
    database_replica_urls: Annotated[
        tuple[str, ...],
        Field(
            description="Streaming replicas of the database (comma-separated `postgresql://…`). A client that sends "
            "back the `Consistency-Token` of earlier answers may be answered by one that has all it has seen; "
            "everybody else is answered by the database itself.",
        ),
    ] = ()
    database_pool_size: Annotated[
        int,
        Field(
            ge=2, le=200, description="Connections that one process opens at most, to the database and to each replica."
        ),
    ] = 8
    database_pooler: Annotated[
        DatabasePooler | None,
        Field(
            description="What PgBouncer in front of the database is configured with, as `clients=2000,servers=25`: its "
            "`max_client_conn`, and `default_pool_size` and `reserve_pool_size` together. It cannot be asked.",
        ),
    ] = None
    processes: Annotated[
        Mapping[str, int],
        Field(
            description="The most processes of each role that will run at once, as `api=3,worker=5,beat=2`: a process "
            "whose connections and theirs do not fit into the database does not start. Without it: each counts itself.",
        ),
    ] = {}
    storage_url: Annotated[
        str | None,
        Field(
            description="Where files are kept: `file:///directory` or `s3://bucket?endpoint=https://host`. Where "
            "clients reach the bucket by another address, add `&public_endpoint=https://…`; by none, "
            "`&public_endpoint=none`. "
            "Without it: a directory in `DATA_DIR`.",
        ),
    ] = None
    redis_url: Annotated[
        str | None,
        Field(
            description="Redis for the roles `api`, `worker` and `beat`: `redis://:password@host:6379/0`, or "
            "`sentinel://host:26379;sentinel://host2:26379?service=name`. It carries hints and news only. Without it: "
            "one process, `serve`.",
        ),
    ] = None
    cache_url: Annotated[
        str | None,
        Field(
            description="Redis for what can be made again (`redis://:password@host:6379/0`): another server than that "
            "of `REDIS_URL`, with `maxmemory-policy allkeys-lru`. It may be lost at any moment. Without it each "
            "process keeps such things for itself.",
        ),
    ] = None
    s3_access_key_id: Annotated[
        str | None, Field(description="Key of the bucket. Without it: what the machine has (role, profile).")
    ] = None
    s3_secret_access_key: Annotated[
        str | None, Field(repr=False, description="Secret of that key; give both or neither.")
    ] = None
    slots: Annotated[
        int, Field(ge=1, le=256, description="Conversions at the same time. Without it: one per core.")
    ] = Field(default_factory=default_slots)
    secret_key_file: Annotated[
        Path | None,
        Field(
            description="File with at least 32 random bytes: seals the passwords of files while jobs wait. Without it: "
            "made at the first start in `DATA_DIR`.",
        ),
    ] = None
    clamd_url: Annotated[
        str | None,
        Field(
            description="ClamAV daemons that look at every file before it is converted, and at what came of it: "
            "`tcp://host:3310` or `unix:///run/clamav/clamd.ctl`, several with commas between them. Each needs "
            "`AlertExceedsMax yes`. While none of them answers, files wait. Without it: nothing is scanned.",
        ),
    ] = None
    scanning: Annotated[
        Literal["auto", "required", "off"],
        Field(
            description="`auto`: files are scanned where `CLAMD_URL` is set. `required`: do not start without it. "
            "`off`: do not scan, although it is set.",
        ),
    ] = "auto"
    master_key_file: Annotated[
        Path | None,
        Field(
            description="File with a key of at least 32 random bytes on each line, the last one in use: files are "
            "stored encrypted. Each tenant's own key lies, wrapped, in the folder `<file>.tenants`; keep file and "
            "folder apart from the database and the files, and share them between all processes. Without it: files "
            "are stored as they are.",
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Field(
            description="Networks (comma-separated, as `10.0.0.0/8`) whose `X-Forwarded-For` and `X-Forwarded-Proto` "
            "are believed. Empty: nobody's.",
        ),
    ] = ()
    egress_allow: Annotated[
        tuple[str, ...],
        Field(
            description="Networks (comma-separated, as `10.1.0.0/16`) that imports by address, webhooks and other "
            "calls to the outside may reach although they are not public, on any port and without TLS. Empty: none.",
        ),
    ] = ()
    tiers_file: Annotated[
        Path | None,
        Field(
            description="YAML file with tiers of your own; `filewright tiers` shows those that hold, to start from. "
            "With it limits hold on 127.0.0.1 too.",
        ),
    ] = None
    stripe_key_file: Annotated[
        Path | None,
        Field(
            description="File with the secret key of an account at Stripe: invoices are sent through it. Without "
            "it: they are made and shown, and sent by nobody."
        ),
    ] = None
    allowed_networks: Annotated[
        tuple[str, ...],
        Field(description="Networks (comma-separated) that may use the service. Empty: all that are not blocked."),
    ] = ()
    blocked_networks: Annotated[tuple[str, ...], Field(description="Networks (comma-separated) that may not.")] = ()
    unlimited_networks: Annotated[
        tuple[str, ...],
        Field(description="Networks (comma-separated) whose callers may ask and order as fast as they like."),
    ] = ()
    alarms: Annotated[
        str,
        Field(
            description="When what looks like abuse is an alarm, where that differs from the usual: "
            "`login_failed=20/600,enumeration=off` (times, and within how many seconds). The names are in "
            "docs/security.md."
        ),
    ] = ""
    alarm_mail: Annotated[
        str | None, Field(description="Who gets a letter about each alarm. They are logged and counted anyway.")
    ] = None
    alarm_url: Annotated[
        str | None,
        Field(
            description="An address of a chat or a pager that alarms are posted to, as JSON with a `text`. One that is "
            "not public is named in `FILEWRIGHT_EGRESS_ALLOW`, too."
        ),
    ] = None
    anonymous: Annotated[
        bool,
        Field(
            description="Whether those who do not say who they are are let in, by address. On a loopback address "
            "whoever owns the machine always is."
        ),
    ] = True
    registration: Annotated[
        Literal["open", "closed"],
        Field(description="Whether anybody may open an account, or only the operator (`filewright admin user add`)."),
    ] = "open"
    public_url: Annotated[
        str | None,
        Field(description="Where people find this service (`https://files.example.com`): for links in letters."),
    ] = None
    mail_url: Annotated[
        str | None,
        Field(
            repr=False,
            description="Where letters are handed in: `smtp://user@host:587` (STARTTLS), `smtps://user@host:465`, or "
            "on this machine `smtp://127.0.0.1:25?tls=none`. With it an address must be confirmed before its owner can "
            "sign in. Without it letters are kept in `DATA_DIR/letters`, and addresses need no confirming.",
        ),
    ] = None
    mail_password_file: Annotated[
        Path | None, Field(description="File with the password of the user in `MAIL_URL`.")
    ] = None
    mail_from: Annotated[str, Field(description="Whom letters come from.")] = "Filewright <filewright@localhost>"
    oidc_issuer: Annotated[
        str | None,
        Field(
            description="OpenID provider that people may sign in at (`https://id.example.com/realm`, exactly as it "
            "says itself). Name its network in `EGRESS_ALLOW` when it is not public."
        ),
    ] = None
    oidc_client_id: Annotated[str | None, Field(description="What this service is called there.")] = None
    oidc_client_secret_file: Annotated[
        Path | None, Field(description="File with the secret agreed on with the provider, if there is one.")
    ] = None
    oidc_redirect_url: Annotated[
        str | None,
        Field(
            description="Where the provider sends people back to. Without it: `/account/oidc` at `PUBLIC_URL`.",
        ),
    ] = None
    breached_passwords_file: Annotated[
        Path | None,
        Field(
            description="Passwords that nobody may choose, beside the packaged list of frequent ones: the file of Have "
            "I Been Pwned with SHA-1 digests ordered by hash."
        ),
    ] = None
    log_format: Annotated[
        Literal["console", "json"], Field(description="How log lines are written to standard error.")
    ] = "console"
    sandbox: Annotated[
        SandboxName,
        Field(
            description="The weakest sandbox that jobs may run in: `isolated` (namespaces by bubblewrap), `confined` "
            "(Landlock and seccomp) or `limited` (resource limits only; for files you made yourself). The service does "
            "not take jobs where the machine gives less.",
        ),
    ] = "confined"
    office: Annotated[
        Literal["auto", "ready", "fork", "daemon", "cold"],
        Field(
            description="How LibreOffice is run. `auto`: when the third document comes, it is loaded into a process "
            "that then forks a sandboxed child for each conversion; where that does not prove itself, one that listens "
            "converts document after document of one owner; where that does not either, it is started anew for each. "
            "`ready`: the same, when the service starts. `fork`: without the one that listens. `daemon`: without the "
            "one that forks. `cold`: started anew for each conversion, which takes four times the CPU.",
        ),
    ] = "auto"
    office_documents: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="How many documents a child of the LibreOffice that forks converts, all of one owner. More "
            "than 1 saves up to a quarter of the CPU, and a document that takes LibreOffice over then sees those of "
            "the same owner that follow.",
        ),
    ] = 1
    fonts: Annotated[
        Path | None,
        Field(
            description="A folder of fonts (`.ttf`, `.otf`, `.ttc`, also in folders below it) that documents get "
            "besides those of the system. A change of it is seen at the next start.",
        ),
    ] = None
    result_cache: Annotated[
        bool,
        Field(
            description="Whether an order is answered with what an earlier job of the same owner has made of the same "
            "files in the same way, as long as that is kept. `false`: every order is worked on.",
        ),
    ] = True
    engines_dir: Annotated[
        Path | None,
        Field(
            description="Folder of engine files (`*.yaml`), each of which makes a program of this machine an engine; "
            "see docs/how-to/write-an-engine.md. The same for every process. Without it: none.",
        ),
    ] = None
    engines_strict: Annotated[
        bool,
        Field(
            description="Do not start while something is wrong with an engine file or an engine of another package. "
            "`false`: such an engine is left out; `filewright doctor` and the log say why.",
        ),
    ] = False
    retention_hours: Annotated[
        float | None,
        Field(
            gt=0, le=24 * 365, description="Hours that files are kept after a job ends. Without it: as the tier says."
        ),
    ] = None
    request_log_days: Annotated[
        int | None,
        Field(
            ge=0,
            le=3650,
            description="Days that requests to the API are kept in the table `api_requests` (when, who, route, status, "
            "seconds, bytes). `0`: none is written down. Without it: 30 for the role `api`, none for `serve`.",
        ),
    ] = None
    learned_targets: Annotated[
        bool,
        Field(
            description="Whether the targets that people choose for a kind of file are counted, and suggested first to "
            "the next one. Only counts of format pairs are kept, none of them belonging to anybody. `false`: what is "
            "usual is suggested, and nothing is counted.",
        ),
    ] = True
    lease_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=600,
            description="How long a job stays with a worker that is not heard of, before another takes it over. "
            "Workers renew it at a sixth of that, and stop by themselves at two thirds. Shorter ones are for tests of "
            "failure: a worker that a busy machine delays for so long loses its work.",
        ),
    ] = 30.0
    failpoints: Annotated[
        str, Field(description="For tests of failure only: points of the code at which to die or fail.")
    ] = ""

    @field_validator(
        "trusted_proxies", "egress_allow", "allowed_networks", "blocked_networks", "unlimited_networks", mode="before"
    )
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        for part in parts:
            ipaddress.ip_network(part)
        return parts

    @field_validator("fonts")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("name a folder that is there")
        return value.resolve() if value is not None else None

    @field_validator("alarms")
    @classmethod
    def _known_alarms(cls, value: str) -> str:
        parse_patterns(value)
        return value

    @field_validator("alarm_mail")
    @classmethod
    def _known_operator(cls, value: str | None) -> str | None:
        if value is not None and _ADDRESS.fullmatch(value) is None:
            raise ValueError("use name@host")
        return value

    @field_validator("alarm_url")
    @classmethod
    def _known_pager(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            raise ValueError("use https://host/path")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"sqlite", "postgresql"}:
            raise ValueError("use sqlite:///file or postgresql://user:password@host/name")
        return value

    @field_validator("database_replica_urls", mode="before")
    @classmethod
    def _known_replicas(cls, value: object) -> object:
        parts = tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        if isinstance(parts, tuple) and not all(urlsplit(str(part)).scheme == "postgresql" for part in parts):
            raise ValueError("use postgresql://user:password@host/name, and a comma between two")
        return parts

    @field_validator("processes", "database_pooler", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """`name=number` pairs, with commas between them."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(name.strip() and number.strip().isdigit() for name, _, number in pairs):
            raise ValueError("give names with numbers, as `name=3,other=5`")
        return {name.strip(): int(number) for name, _, number in pairs}

    @model_validator(mode="after")
    def _replicas_copy_something(self) -> Settings:
        if self.database_replica_urls and urlsplit(self.effective_database_url).scheme != "postgresql":
            raise ValueError("database_replica_urls: only a database in PostgreSQL has replicas; set DATABASE_URL too")
        return self

    @field_validator("public_url")
    @classmethod
    def _known_public_url(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            raise ValueError("use https://host, as people enter it")
        return value.rstrip("/") if value is not None else None

    @field_validator("mail_from")
    @classmethod
    def _known_sender(cls, value: str) -> str:
        if _SENDER.fullmatch(value) is None:
            raise ValueError("use name@host, or Name <name@host>")
        return value

    @model_validator(mode="after")
    def _mail_server_is_one(self) -> Settings:
        if self.mail_password_file is not None and self.mail_url is None:
            raise ValueError("mail_password_file: it goes with FILEWRIGHT_MAIL_URL")
        try:
            _ = self.mail_server
        except (OSError, ValueError) as error:
            raise ValueError(f"mail_url: {error}") from None
        return self

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Settings:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("oidc_issuer: give it and FILEWRIGHT_OIDC_CLIENT_ID, or neither")
        if self.oidc_issuer is not None and self.oidc_redirect_url is None and self.public_url is None:
            raise ValueError("oidc_redirect_url: set it or FILEWRIGHT_PUBLIC_URL, so that people find their way back")
        if self.oidc_client_secret_file is not None and not self.oidc_client_secret_file.is_file():
            raise ValueError("oidc_client_secret_file: there is no such file")
        return self

    @field_validator("breached_passwords_file")
    @classmethod
    def _known_passwords(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                BreachedPasswords(value)
            except OSError:
                raise ValueError("there is no such file") from None
        return value

    @field_validator("storage_url")
    @classmethod
    def _known_storage(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"file", "s3", "memory"}:
            raise ValueError("use file:///directory or s3://bucket?endpoint=https://host")
        if value is not None and value.startswith("s3:"):
            parse_s3_address(value)
        return value

    @field_validator("clamd_url")
    @classmethod
    def _known_scanners(cls, value: str | None) -> str | None:
        if value is not None:
            parse_addresses(value)
        return value

    @model_validator(mode="after")
    def _scanning_is_possible(self) -> Settings:
        if self.scanning == "required" and self.clamd_url is None:
            raise ValueError(
                "scanning: `required` needs a scanner; set FILEWRIGHT_CLAMD_URL=unix:///run/clamav/clamd.ctl"
            )
        return self

    @field_validator("cache_url", "redis_url")
    @classmethod
    def _known_redis(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"redis", "rediss", "sentinel"}:
            raise ValueError("use redis://:password@host:6379/0, rediss://… or sentinel://host:26379?service=name")
        return value

    @model_validator(mode="after")
    def _cache_is_apart(self) -> Settings:
        if self.cache_url is None:
            return self
        if self.redis_url is None:
            raise ValueError("cache_url: one process keeps what it needs itself; set it with FILEWRIGHT_REDIS_URL only")
        if urlsplit(self.cache_url).netloc.rpartition("@")[2] == urlsplit(self.redis_url).netloc.rpartition("@")[2]:
            raise ValueError(
                "cache_url: use another server than FILEWRIGHT_REDIS_URL; one forgets what is old, the other must not"
            )
        return self

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Settings:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id: give the key and FILEWRIGHT_S3_SECRET_ACCESS_KEY, or neither")
        return self

    @field_validator("stripe_key_file")
    @classmethod
    def _key_of_stripe(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and value.read_bytes().strip().startswith((b"sk_", b"rk_"))):
            raise ValueError("there is no such file, or what is in it does not begin with sk_ or rk_")
        return value

    @model_validator(mode="after")
    def _secret_is_strong(self) -> Settings:
        path = self.secret_key_file
        if path is not None:
            if not path.is_file():
                raise ValueError("secret_key_file: there is no such file")
            if len(path.read_bytes().strip()) < 32:
                raise ValueError(
                    "secret_key_file: it holds fewer than 32 bytes; make one with: openssl rand -base64 48"
                )
        return self

    @model_validator(mode="after")
    def _master_key_is_strong(self) -> Settings:
        path = self.master_key_file
        if path is not None:
            if not path.is_file():
                raise ValueError("master_key_file: there is no such file; make it with: openssl rand -base64 48")
            try:
                keys_in(path)
            except ValueError as error:
                raise ValueError(f"master_key_file: {error}") from None
        return self

    def require_distributed(self) -> None:
        """Raises SettingsError unless all state is outside this process, where others find it too."""
        if urlsplit(self.effective_database_url).scheme != "postgresql":
            raise SettingsError(f"{PREFIX}DATABASE_URL: this role needs postgresql://user:password@host/name")
        if urlsplit(self.effective_storage_url).scheme != "s3":
            raise SettingsError(f"{PREFIX}STORAGE_URL: this role needs s3://bucket?endpoint=https://host")
        if self.redis_url is None:
            raise SettingsError(f"{PREFIX}REDIS_URL: this role needs redis://:password@host:6379/0")
        if self.secret_key_file is None:
            raise SettingsError(
                f"{PREFIX}SECRET_KEY_FILE: every role needs the same file; make it with: openssl rand -base64 48"
            )

    @property
    def provider(self) -> ProviderSettings | None:
        """Where people may sign in besides here."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return None
        back = self.oidc_redirect_url or f"{self.public_url}/account/oidc"
        file = self.oidc_client_secret_file
        secret = file.read_text(encoding="utf-8").strip() if file is not None else None
        return ProviderSettings(self.oidc_issuer, self.oidc_client_id, back, secret)

    @property
    def mail_server(self) -> SmtpServer | None:
        """Where letters are handed in; None: nowhere. Raises ValueError, OSError."""
        if self.mail_url is None:
            return None
        file = self.mail_password_file
        password = file.read_text(encoding="utf-8").strip() if file is not None else None
        return parse_smtp_address(self.mail_url, password)

    @property
    def effective_database_url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'filewright.db'}"

    @property
    def effective_storage_url(self) -> str:
        """The store to use."""
        return self.storage_url or f"file://{self.data_dir.absolute() / 'objects'}"


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the environment, then the file it names; `overrides` (from the command line) win over both.

    Raises SettingsError for a wrong value, or a name that does not exist.
    """
    environ = dict(os.environ if environment is None else environment)  # noqa: TID251 - the one place that reads it
    values = {**_from_file(environ.get(f"{PREFIX}CONFIG")), **_from_environment(environ)}
    for name in values:
        _check_name(name)
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    ours = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in ("config", "corpus", "test_seed"):  # the file's name, and what the tests are told
        ours.pop(name, None)
    return {name: value for name, value in ours.items() if value != ""}


def _from_file(path: str | None) -> dict[str, str]:
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"{PREFIX}CONFIG: cannot read {path}: {error.strerror}") from None
    found = {}
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            name, _, value = line.partition("=")
            found[name.strip().removeprefix(PREFIX).lower()] = value.strip().strip('"')
    return found


def _check_name(name: str) -> None:
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else "; docs/settings.md lists them all"
    raise SettingsError(f"{PREFIX}{name.upper()}: there is no such setting{hint}")


def _sentence(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        where = "_".join(str(part) for part in problem["loc"][:1])
        message = problem["msg"].removeprefix("Value error, ")
        if not where and ": " in message:
            where, _, message = message.partition(": ")
        problems.append(f"{PREFIX}{where.upper()}: {message}")
    return "\n".join(problems)
