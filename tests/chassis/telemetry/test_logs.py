"""Log lines: one event each, with fields, without secrets, and not to be forged."""

import asyncio
import io
import json
import logging

import pytest
import structlog

from filewright.chassis.telemetry.logs import MASK, configure_logs, get_logger, log_context

early = get_logger("made.at.import")


@pytest.fixture(autouse=True)
def _put_back():
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def output():
    return io.StringIO()


def lines(output):
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(output):
    configure_logs(stream=output)
    get_logger("jobs").info("attempt_finished", job_id="job_1", seconds=1.5)
    [line] = lines(output)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "attempt_finished", "level": "info", "logger": "jobs", "job_id": "job_1", "seconds": 1.5}


def test_a_logger_made_before_the_set_up_follows_it(output):
    configure_logs(stream=output)
    early.warning("late")
    assert lines(output)[0]["logger"] == "made.at.import"


def test_below_the_level_nothing_is_written(output):
    configure_logs(level="WARNING", stream=output)
    early.info("quiet")
    assert output.getvalue() == ""


async def test_request_and_job_ids_ride_along_and_do_not_mix(output):
    configure_logs(stream=output)

    async def request(number):
        with log_context(request_id=f"req_{number}"):
            await asyncio.sleep(0)
            early.info("handled")
            await asyncio.create_task(child(number))

    async def child(number):
        early.info("handled")

    await asyncio.gather(*(request(number) for number in range(3)))
    early.info("outside")
    found = [line.get("request_id") for line in lines(output)]
    assert sorted(found[:-1]) == ["req_0", "req_0", "req_1", "req_1", "req_2", "req_2"]
    assert found[-1] is None


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"Authorization": "Bearer hunter2"},
        {"api_key": "hunter2"},
        {"api-key": "hunter2"},
        {"session_cookie": "hunter2"},
        {"options": {"deep": [{"Password": "hunter2"}]}},
        {"url": "postgresql://someone:hunter2@host/db"},
        {"message": "sent authorization: bearer hunter2 to them"},
        {"header": "Basic hunter2=="},
    ],
    ids=str,
)
@pytest.mark.requirement("S30")
def test_a_secret_is_masked_wherever_it_hides(output, style, fields):
    configure_logs(style, stream=output)
    early.info("request", **fields)
    assert "hunter2" not in output.getvalue()
    assert MASK in output.getvalue()


@pytest.mark.requirement("S30")
def test_a_traceback_tells_where_and_not_what_the_variables_were(output):
    configure_logs(stream=output)
    password = "hunter2"  # noqa: F841 - the point
    try:
        raise ValueError("broken")
    except ValueError:
        early.exception("failed")
    [line] = lines(output)
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert line["exception"][0]["frames"][-1]["name"].startswith("test_a_traceback")
    assert "hunter2" not in output.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.requirement("S30")
def test_a_line_cannot_be_forged(output, style):
    configure_logs(style, stream=output)
    evil = 'name\r\n{"event":"forged"}\x1b[2J\u2028end'
    early.info(evil, filename=evil, nested=[evil])
    logging.getLogger("some.library").error("said %s", evil)
    assert len(output.getvalue().splitlines()) == 2
    assert not {"\x1b", "\r", "\u2028"} & set(output.getvalue()) or style == "json"
    assert "\x1b" not in output.getvalue()


@pytest.mark.parametrize("value", [b"\xff", {1: 2}, {"a"}, object(), float("nan"), "\udcff", 2**70, ValueError("x")])
def test_whatever_is_logged_makes_a_line(output, value):
    configure_logs(stream=output)
    early.info("odd", value=value)
    assert lines(output)[0]["event"] in {"odd", "'odd'"}


def test_libraries_log_the_same_way_and_only_what_matters(output):
    configure_logs(stream=output)
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.error").warning("bad %s", "thing")
    [line] = lines(output)
    assert (line["event"], line["logger"], line["level"]) == ("bad thing", "uvicorn.error", "warning")


def test_set_up_twice_writes_once(output):
    configure_logs(stream=output)
    configure_logs(stream=output)
    logging.getLogger("x").warning("once")
    early.info("once")
    assert len(lines(output)) == 2


def test_without_a_stream_lines_go_to_stderr_and_not_to_stdout(capsys):
    configure_logs()
    early.info("hello")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "hello"
