"""Formats, routes and operations."""

from __future__ import annotations

import jsonschema
import pytest


def ids(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_cursor"] is None
    return {item["id"] for item in answer.json()["data"]}


def test_formats_say_what_they_are_and_become(http):
    answer = http.get("/v1/formats")
    assert ids(answer) == {"txt", "md", "html", "png", "csv", "json"}
    text = next(item for item in answer.json()["data"] if item["id"] == "txt")
    assert set(text) == {"id", "name", "family", "extensions", "media_types", "targets", "suggested_targets"}
    assert "txt" in text["extensions"]
    assert "text/plain" in text["media_types"]
    assert set(text["targets"]) == {"md", "html", "png"}


def test_formats_suggest_what_is_usual(http):
    found = {item["id"]: item["suggested_targets"] for item in http.get("/v1/formats").json()["data"]}
    assert found["txt"] == ["html", "md", "png"]
    assert found["csv"] == ["json"]
    assert found["png"] == []


def test_who_has_the_formats_already_is_told_so(http):
    first = http.get("/v1/formats")
    again = http.get("/v1/formats", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_formats_are_filtered_by_either_end(http):
    assert ids(http.get("/v1/formats", params={"from": "txt"})) == {"md", "html", "png"}
    assert ids(http.get("/v1/formats", params={"to": ".JSON"})) == {"csv"}
    assert ids(http.get("/v1/formats", params={"from": "text/csv", "to": "json"})) == {"csv"}
    assert ids(http.get("/v1/formats", params={"from": "csv", "to": "md"})) == set()


@pytest.mark.parametrize("name", ["floppy", "%00", "../x", "'--", "%F0%9F%92%A9"])
@pytest.mark.parametrize("where", ["formats?from=", "formats?to=", "routes?to=md&from=", "routes?from=txt&to="])
def test_an_unknown_format_is_refused(http, where, name):
    answer = http.get(f"/v1/{where}{name}")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_format")


def test_a_route_names_its_engines(http):
    answer = http.get("/v1/routes", params={"from": "txt", "to": "html"}).json()
    assert answer["route"] == [
        {"engine": "obedient", "engine_version": "1.0", "from": "txt", "to": "html", "lossy": False}
    ]
    assert answer["lossy"] is False
    assert "title" in answer["options"]


def test_where_there_is_no_way_the_answer_says_what_there_is(http):
    answer = http.get("/v1/routes", params={"from": "csv", "to": "md"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_conversion")
    assert "json" in answer.json()["detail"]


@pytest.mark.parametrize("query", ["", "?from=txt", "?to=md", "?from=&to=", "?from=" + "x" * 500 + "&to=md"])
def test_a_route_needs_both_ends(http, query):
    answer = http.get(f"/v1/routes{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] in {"/from", "/to"}


def test_operations_carry_a_json_schema(http):
    offered = {item["id"]: item["parameters"] for item in http.get("/v1/operations").json()["data"]}
    assert {"convert", "merge", "split", "rotate"} <= set(offered)
    for parameters in offered.values():
        jsonschema.Draft202012Validator.check_schema(parameters)
    jsonschema.validate({"to": "html", "options": {"title": "x"}}, offered["convert"])
    jsonschema.validate({"options": {"degrees": 90, "pages": "1-2"}}, offered["rotate"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"options": {"degrees": 91}}, offered["rotate"])


def test_operations_are_not_sent_again_to_whoever_has_them(http):
    first = http.get("/v1/operations")
    again = http.get("/v1/operations", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
