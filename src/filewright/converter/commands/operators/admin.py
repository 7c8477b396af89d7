"""`filewright admin`: accounts and keys, by whoever may read the service's settings. Works beside a running service.

What is done here holds in running processes within five seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from filewright.chassis.errors import ProblemError
from filewright.converter.commands.exits import Exit
from filewright.converter.commands.operators.console import OPERATOR
from filewright.converter.settings import SettingsError, load

if TYPE_CHECKING:
    from filewright.chassis.identity.models import UserRow
    from filewright.converter.accounts.people import People

T = TypeVar("T")

admin = typer.Typer(
    name="admin", help="Accounts, keys, flags, quarantine and the audit log, for operators.", no_args_is_help=True
)
user = typer.Typer(name="user", help="Accounts.", no_args_is_help=True)
key = typer.Typer(name="key", help="API keys, and the keys that tokens are signed with.", no_args_is_help=True)
admin.add_typer(user)
admin.add_typer(key)

Data = Annotated[Path | None, typer.Option(help="Directory of the embedded service.", envvar="FILEWRIGHT_DATA_DIR")]
Who = Annotated[str, typer.Argument(help="E-mail address or id.", metavar="USER")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


@user.command("add")
def add_user(
    email: Annotated[str, typer.Argument(help="E-mail address; it counts as confirmed.")],
    role: Annotated[str, typer.Option(help="`user`, `support` or `admin`.")] = "user",
    tier: Annotated[str | None, typer.Option(help="One of `filewright tiers`. Without it: `free`.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; `-` for standard input. Without it you are asked.")
    ] = None,
    data: Data = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Open an account, the first admin's among them."""
    password = _password(password_file)

    async def work(people: People) -> UserRow:
        return await people.accounts.create(email, password, role=_role(role), tier=_tier(tier), actor=OPERATOR)

    _tell(_described(_run(data, work)), as_json=as_json)


@user.command("show")
def show_user(who: Who, data: Data = None, *, as_json: AsJson = False) -> None:
    """Say what is known of an account."""
    _tell(_described(_run(data, lambda people: people.accounts.find(who))), as_json=as_json)


@user.command("set")
def set_user(
    who: Who,
    role: Annotated[str | None, typer.Option(help="`user`, `support` or `admin`.")] = None,
    tier: Annotated[str | None, typer.Option(help="One of `filewright tiers`.")] = None,
    data: Data = None,
) -> None:
    """Give an account another role or tier; tokens have it within ten minutes, keys within one."""

    async def work(people: People) -> None:
        found = await people.accounts.find(who)
        await people.accounts.change(
            found.id,
            role=_role(role) if role is not None else None,
            tier=_tier(tier) if tier is not None else None,
            actor=OPERATOR,
        )

    _run(data, work)


@user.command("credit")
def credit_user(
    who: Who,
    amount: Annotated[int, typer.Argument(help="Conversions beyond the month's.", min=1, max=1_000_000)],
    data: Data = None,
    *,
    bought: Annotated[bool, typer.Option("--bought", help="They stand on the invoice of the month.")] = False,
) -> None:
    """Give an account credits."""

    async def work(people: People) -> None:
        found = await people.accounts.find(who)
        await people.accounts.give_credits(found.id, amount, "bought" if bought else "gift", actor=OPERATOR)

    _run(data, work)


@user.command("disable")
def disable_user(who: Who, data: Data = None) -> None:
    """Shut an account: its sessions end, its keys are refused."""
    _run(data, lambda people: _set_disabled(people, who, disabled=True))


@user.command("enable")
def enable_user(who: Who, data: Data = None) -> None:
    """Open an account again; its keys are good again."""
    _run(data, lambda people: _set_disabled(people, who, disabled=False))


@key.command("create")
def create_key(
    who: Who,
    name: Annotated[str, typer.Option(help="To know it again.")] = "key",
    scopes: Annotated[str, typer.Option(help="Comma-separated.")] = "account:read,jobs:read,jobs:write,uploads:write",
    days: Annotated[
        int | None, typer.Option(help="How long it is good. Without it: until it is revoked.", min=1)
    ] = None,
    data: Data = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make an API key for an account. It is shown this once."""
    from filewright.converter.accounts.api_keys import KeyOrder  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.tiers import SCOPES, Caller, Tiers, scopes_of  # noqa: PLC0415

    wanted = frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())
    if not wanted or not wanted <= SCOPES:
        raise typer.BadParameter(f"scopes are {', '.join(sorted(SCOPES))}", param_hint="--scopes")

    async def work(people: People) -> Mapping[str, Any]:
        found = await people.accounts.find(who)
        expires = people.now() + timedelta(days=days) if days is not None else None
        owner = Caller(found.tenant, Tiers().named(found.tier), scopes_of(found.role), user=found.id)
        row, made = await people.keys.create(owner, KeyOrder(name, wanted, expires_at=expires), actor=OPERATOR)
        return {"id": row.id, "key": made.text}

    _tell(_run(data, work), as_json=as_json)


@key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, `key_…`.", metavar="KEY_ID")], data: Data = None
) -> None:
    """Refuse an API key from now on, whosever it is."""
    _run(data, lambda people: people.keys.revoke_any(key_id, actor=OPERATOR))


@key.command("rotate")
def rotate_key(
    data: Data = None,
    *,
    distrust: Annotated[
        bool, typer.Option("--distrust", help="Refuse all access tokens made until now: everybody refreshes.")
    ] = False,
) -> None:
    """Let a new key follow the one that access tokens are signed with. It happens by itself once a month."""
    _tell({"kid": _run(data, lambda people: people.signing.follow(distrust=distrust, actor=OPERATOR))}, as_json=False)


async def _set_disabled(people: People, who: str, *, disabled: bool) -> None:
    found = await people.accounts.find(who)
    await people.accounts.set_disabled(found.id, disabled, actor=OPERATOR)


def _role(role: str) -> str:
    from filewright.converter.tiers import ROLES  # noqa: PLC0415 - as above

    if role not in ROLES:
        raise typer.BadParameter(f"roles are {', '.join(ROLES)}", param_hint="--role")
    return role


def _tier(tier: str | None) -> str:
    from filewright.converter.tiers import FREE_TIER  # noqa: PLC0415
    from filewright.converter.tiers.file import load as load_tiers  # noqa: PLC0415 - as above

    known = load_tiers(load().tiers_file).by_name
    if tier is not None and tier not in known:
        raise typer.BadParameter(f"tiers are {', '.join(known)}", param_hint="--tier")
    return tier or FREE_TIER


def _password(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    return text.removesuffix("\n").removesuffix("\r")


def _run(data: Path | None, work: Callable[[People], Awaitable[T]]) -> T:
    """Do it on the service's database; a refusal is said in a sentence."""
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415 - as above
    from filewright.converter.bootstrap import administering  # noqa: PLC0415

    async def whole() -> T:
        settings = load(data_dir=data)
        configure_logs(settings.log_format)
        async with administering(settings) as people:
            return await work(people)

    try:
        return asyncio.run(whole())
    except (SettingsError, ProblemError, OSError) as error:
        said = error.detail if isinstance(error, ProblemError) else str(error)
        typer.echo(f"filewright: {said}", err=True)
        raise typer.Exit(Exit.USAGE) from None


def _described(found: UserRow) -> Mapping[str, Any]:
    return {
        "id": found.id,
        "email": found.email,
        "role": found.role,
        "tier": found.tier,
        "disabled": found.disabled_at is not None,
        "created_at": found.created_at.isoformat(),
    }


def _tell(facts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(dict(facts)))
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")
