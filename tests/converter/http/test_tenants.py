"""Nobody reaches what is another's, and nothing tells another's from what is not there.

The matrix is made of the OpenAPI document: every operation whose address or body names a thing is asked by everybody
else for a thing of somebody's, and for one that never was. A new kind of thing, or a new field that names one, fails
here until the matrix knows how somebody comes by one.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import defaultdict

import pytest
from httpkit.people import somebody
from sqlalchemy import Engine, event

from filewright.chassis.telemetry.logs import said_of
from filewright.converter.billing.models import InvoiceRow
from filewright.converter.webhooks.models import DeliveryRow
from fontkit import font

TUS = {"Tus-Resumable": "1.0.0"}
OPERATORS = "/v1/admin/"
"""Where things of all tenants are named, by those who may; that nobody else is let in is proven in `test_admin.py`."""
NO_IDS = {"n"}
"""Parameters of addresses that name nothing of anybody's by themselves."""


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    with serve(tmp_path_factory.mktemp("tenants"), local=False) as live:
        yield live


@pytest.fixture(scope="module")
def http(service):
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def document(http):
    return http.get("/openapi.json").raise_for_status().json()


@pytest.fixture(scope="module")
def owner(http):
    return somebody(http)


@pytest.fixture(scope="module")
def others(http):
    """Another account, a key of another account, and a stranger."""
    other = somebody(http)
    key = somebody(http)
    scopes = http.get("/v1/me", headers=key.headers).json()["scopes"]
    return {
        "account": other.headers,
        "key": {"Authorization": f"Bearer {key.key(http, scopes)['key']}"},
        "stranger": {},
    }


@pytest.fixture(scope="module")
def things(service, http, owner):
    """One of each kind, the owner's, by the prefix of its id; and who can still see it."""
    ticket = http.post("/v1/uploads", json={"filename": "n.txt", "bytes": 5}, headers=owner.headers).json()
    http.put(f"/v1/uploads/{ticket['id']}", content=b"hello", headers=owner.headers).raise_for_status()
    http.post(f"/v1/uploads/{ticket['id']}/complete", headers=owner.headers).raise_for_status()
    order = {"inputs": [{"upload": ticket["id"]}], "to": "md"}
    job = http.post("/v1/jobs", json=order, headers=owner.headers).raise_for_status().json()
    deadline = time.monotonic() + 60
    while job["status"] in {"queued", "running"} and time.monotonic() < deadline:
        job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 5}, headers=owner.headers).raise_for_status().json()
    assert job["status"] == "succeeded"
    batch = http.post("/v1/batches", json=order, headers=owner.headers).raise_for_status().json()
    fresh = http.post("/v1/uploads", json={"filename": "n.txt", "bytes": 5}, headers=owner.headers).json()["id"]
    brought = http.post("/v1/fonts", files={"file": ("f.ttf", font("Quillmark"))}, headers=owner.headers)
    return {
        "fnt": brought.raise_for_status().json()["id"],
        "job": job["id"],
        "upl": fresh,
        "bat": batch["id"],
        "key": owner.key(http, ["jobs:read"])["id"],
        "ses": owner.tokens["session"],
        "inv": invoice(service, http.get("/v1/me", headers=owner.headers).json()["id"], job["id"]),
        **webhook(service, http, owner, job["id"]),
    }


def invoice(service, tenant: str, job: str) -> str:
    """No caller makes one; months do."""
    world = service.world

    async def plant() -> str:
        async with world.database.write() as session:
            row = InvoiceRow(
                id=world.ids.new("inv"), tenant=tenant, month="2025-03", number=1, currency="EUR", lines=[], total=0,
                status="made", pdf_job=job, created_at=world.clock.now(),
            )  # fmt: skip
            session.add(row)
            return str(row.id)

    return service.call(plant)


def webhook(service, http, owner, job: str) -> dict[str, str]:
    """And what was sent there, long ago: senders leave it alone."""
    made = http.post("/v1/webhooks", json={"url": "https://example.com/hook"}, headers=owner.headers)
    hook, world = made.raise_for_status().json()["id"], service.world
    tenant = http.get("/v1/me", headers=owner.headers).json()["id"]

    async def plant() -> str:
        async with world.database.write() as session:
            now = world.clock.now()
            row = DeliveryRow(
                id=world.ids.new("dlv"), tenant=tenant, receiver=hook,
                event="job.succeeded", job_id=job, revision=1, payload=None, state="dead", tries=8, not_before=now,
                created_at=now,
            )  # fmt: skip
            session.add(row)
            return str(row.id)

    return {"whk": hook, "dlv": service.call(plant)}


BY_ID_ALONE = {"get_erasure"}
"""Whoever knows the id may look: its owner cannot sign in any more. What is shown names nobody (`test_privacy.py`)."""


def named_things(document):
    """(method, path, {parameter: prefix}) of every operation whose address names things."""
    for path, methods in document["paths"].items():
        if path.startswith(OPERATORS):
            continue
        for method, operation in methods.items():
            if operation["operationId"] in BY_ID_ALONE:
                continue
            kinds = {}
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] not in NO_IDS:
                    example = (parameter.get("schema", {}).get("examples") or [parameter.get("example", "")])[0]
                    match = re.fullmatch(r"([a-z]{2,5})_[0-9a-z]{26}", str(example))
                    assert match, f"{method} {path}: `{parameter['name']}` shows no id as its example"
                    kinds[parameter["name"]] = match[1]
            if kinds:
                yield method, path, kinds


def body_of(document, method, path):
    """What the document says that an operation takes: its own example."""
    content = document["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    examples = schema.get("examples")
    return examples[0] if examples else None


def unknown(prefix: str) -> str:
    return f"{prefix}_01" + "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(24))


def ask(http, method, path, ids, headers, body):
    address = path.replace("{n}", "0")
    for name, value in ids.items():
        address = address.replace(f"{{{name}}}", value)
    assert "{" not in address
    more = {"json": body} if body is not None else {"content": b"hello"} if method == "put" else {}
    return http.request(method, address, headers=headers, **more)


def said(answer, ids):
    """An answer without what differs by nature: its own number and the address that was asked."""
    text = answer.text
    for value in ids.values():
        text = text.replace(value, "THAT")
    kept = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date", "ratelimit"}}
    text = re.sub(r'"request_id":"[^"]*"', "", text)
    kept.pop("content-length", None)  # of the ids, which differ in nothing else
    return answer.status_code, kept, text


@pytest.mark.requirement("S2", "S20")
def test_every_address_that_names_a_thing_answers_others_as_if_it_never_was(http, document, owner, others, things):
    asked = 0
    for method, path, kinds in named_things(document):
        assert set(kinds.values()) <= set(things), f"{path} names a kind that the matrix cannot make: {kinds}"
        theirs = {name: things[prefix] for name, prefix in kinds.items()}
        body = body_of(document, method, path)
        for who, headers in others.items():
            never = {name: unknown(prefix) for name, prefix in kinds.items()}
            found = ask(http, method, path, theirs, headers, body)
            nothing = ask(http, method, path, never, headers, body)
            assert said(found, theirs) == said(nothing, never), f"{who}: {method} {path}"
            assert found.status_code == 404, f"{who}: {method} {path}: {found.text}"
            asked += 1
    assert asked >= 3 * 15
    still_there(http, owner, things)


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_tus_answers_others_as_if_the_upload_never_was(http, owner, others, things, method):
    more = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} if method == "PATCH" else {}
    for headers in others.values():
        answers = [
            said(http.request(method, f"/v1/uploads/{name}", headers={**headers, **TUS, **more}), {"id": name})
            for name in (things["upl"], unknown("upl"))
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    still_there(http, owner, things)


FIELDS = {
    "upload": lambda things, name: {"inputs": [{"upload": name("upl")}], "to": "pdf"},
    "job": lambda things, name: {"inputs": [{"job": name("job")}], "to": "pdf"},
}
"""Fields of bodies that name a thing: how an order says them."""


@pytest.mark.requirement("S2", "S3")
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_names_anothers_thing_is_answered_as_one_that_names_nothing(http, others, things, field, dry_run):
    made = FIELDS[field]
    for headers in others.values():
        never: dict[str, str] = {}

        def fresh(prefix, never=never):
            return never.setdefault(prefix, unknown(prefix))

        theirs = {"upl": things["upl"], "job": things["job"]}
        found = http.post("/v1/jobs", json={**made(things, theirs.get), "dry_run": dry_run}, headers=headers)
        nothing = http.post("/v1/jobs", json={**made(things, fresh), "dry_run": dry_run}, headers=headers)
        assert said(found, theirs) == said(nothing, never)
        assert found.status_code == 404


def test_every_field_that_names_a_thing_is_in_the_matrix(document):
    """Request bodies whose fields look like ids by the example that the document gives."""
    named = set()
    for schema in requested(document):
        for name, field in schema.get("properties", {}).items():
            if any(re.fullmatch(r"[a-z]{2,5}_[0-9a-z]{26}", str(value)) for value in examples_of(schema, name, field)):
                named.add(name)
    assert named <= set(FIELDS)


def requested(document):
    """Every model that a request's body is, or holds."""
    schemas = document["components"]["schemas"]
    waiting = [
        content["schema"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    seen = set()
    while waiting:
        schema = waiting.pop()
        for name in re.findall(r"#/components/schemas/(\w+)", str(schema)):
            if name not in seen:
                seen.add(name)
                waiting.append(schemas[name])
        yield schema


def examples_of(schema, name, field):
    yield from field.get("examples", [])
    yield from (example.get(name) for example in schema.get("examples", []) if isinstance(example, dict))


@pytest.mark.requirement("S2")
def test_lists_hold_the_callers_own_things_only(http, others, things, document):
    lists = [
        path
        for path, methods in document["paths"].items()
        if "get" in methods and any(item["name"] == "cursor" for item in methods["get"].get("parameters", []))
        if "{" not in path  # lists of a thing are in the matrix above
    ]
    assert len(lists) >= 3
    for path in lists:
        for headers in others.values():
            answer = http.get(path, headers=headers)
            if answer.status_code == 403:
                continue  # for accounts only
            text = answer.raise_for_status().text
            assert not any(name in text for name in things.values())


@pytest.mark.requirement("S2")
def test_an_idempotency_key_of_anothers_is_nothing_to_anybody_else(http, owner, others, things):
    key = {"Idempotency-Key": secrets.token_hex(8)}
    order = {"filename": "mine.txt", "bytes": 7}
    mine = http.post("/v1/uploads", json=order, headers={**owner.headers, **key}).raise_for_status().json()
    for headers in others.values():
        theirs = http.post("/v1/uploads", json=order, headers={**headers, **key}).raise_for_status().json()
        assert theirs["id"] != mine["id"]


def still_there(http, owner, things):
    """None of all that changed anything, and the owner can see it: else the matrix would prove nothing."""
    for path in (
        f"/v1/jobs/{things['job']}",
        f"/v1/uploads/{things['upl']}",
        f"/v1/jobs/{things['job']}/outputs/0",
        f"/v1/me/invoices/{things['inv']}",
        f"/v1/fonts/{things['fnt']}",
    ):
        assert http.get(path, headers=owner.headers).status_code == 200, path
    assert http.get("/v1/me", headers=owner.headers).status_code == 200
    assert things["key"] in http.get("/v1/api-keys", headers=owner.headers).text


@pytest.fixture
def statements():
    """What is asked of the database for a request, by the request's id; upkeep asks, too, for nobody."""
    asked = defaultdict(list)

    def note(_connection, _cursor, statement, *_):
        asked[said_of("request_id")].append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.requirement("S2", "S20")
def test_for_anothers_thing_the_same_is_asked_of_the_database_as_for_one_that_never_was(
    http, document, others, things, statements
):
    """So it takes the same time; `benchmarks/timing.py` measures that it does."""
    counted = 0
    for method, path, kinds in named_things(document):
        theirs = {name: things[prefix] for name, prefix in kinds.items()}
        never = {name: unknown(prefix) for name, prefix in kinds.items()}
        for who, headers in others.items():
            body = body_of(document, method, path)

            def trace(ids, headers=headers, method=method, path=path, body=body):
                while True:  # until it is known who asks; every now and then that is looked up anew
                    number = secrets.token_hex(16)
                    answer = ask(http, method, path, ids, {**headers, "X-Request-ID": number}, body)
                    assert answer.status_code == 404
                    asked = statements.pop(number, [])
                    if not any("FROM api_keys JOIN" in statement for statement in asked):
                        return asked

            traces = [trace(theirs), trace(never)]
            assert traces[0] == traces[1], f"{who}: {method} {path}"
            counted += bool(traces[0])
    assert counted > 20
