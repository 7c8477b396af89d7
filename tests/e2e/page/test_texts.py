"""Every language says all that English says, with the same values in it, and can count in its own way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser

from filewright.converter.formats.catalogue import FORMATS

OTHERS = ("de", "es", "fr", "tr")
OPTIONAL = ("format.", "said.", "hint.")
_READ = """async (url) => {
    const {default: texts} = await import(url);
    return texts;
}"""


@pytest.fixture(scope="module", params=["/static/texts", "/static/account/texts"], ids=["files", "account"])
def texts(browser: Browser, served, request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, Any]]:
    page = browser.new_page()
    page.goto(f"{served.url}/")
    read = {code: page.evaluate(_READ, f"{request.param}/{code}.js") for code in ("en", *OTHERS)}
    page.close()
    return read


def variants(text: str | Mapping[str, str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def values(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_the_texts_of_english_and_no_others(texts, code: str):
    """Names of formats, what people call them, and what options do: these the service says in English, all may add."""
    english = {key for key in texts["en"] if not key.startswith(OPTIONAL)}
    assert {key for key in texts[code] if not key.startswith(OPTIONAL)} == english


@pytest.mark.parametrize("code", OTHERS)
def test_what_a_language_adds_is_a_name_of_something_that_there_is(texts, code: str):
    formats = {key.removeprefix("format.") for key in texts[code] if key.startswith("format.")}
    options = {key.removeprefix("hint.") for key in texts[code] if key.startswith("hint.")}
    assert (len(formats) > 50) == ("page.tagline" in texts["en"])
    assert formats <= set(FORMATS)
    assert options <= {key.split(".")[1] for key in texts["en"] if key.startswith("option.")}


@pytest.mark.parametrize("code", OTHERS)
def test_a_text_holds_the_same_values_in_every_language(texts, code: str):
    for key, english in ((key, text) for key, text in texts["en"].items() if key in texts[code]):
        wanted = set().union(*(values(text) for text in variants(english)))
        found = set().union(*(values(text) for text in variants(texts[code][key])))
        assert found == wanted, key


@pytest.mark.parametrize("code", ("en", *OTHERS))
def test_what_depends_on_a_number_has_every_form_that_the_language_needs(texts, code: str, browser: Browser, served):
    page = browser.new_page()
    page.goto(f"{served.url}/")
    known = set(page.evaluate("(code) => new Intl.PluralRules(code).resolvedOptions().pluralCategories", code))
    page.close()
    for key, text in texts[code].items():
        if isinstance(texts["en"].get(key, text), str):
            assert isinstance(text, str), key
            continue
        assert {"one", "other"} <= set(text) <= known, key


@pytest.mark.parametrize("code", OTHERS)
def test_no_text_was_forgotten_in_english(texts, code: str):
    """Single words may be the same; sentences are not."""
    for key, english in texts["en"].items():
        for text in variants(english):
            if key in texts[code] and len(re.findall(r"[A-Za-z]{2,}", re.sub(r"{\w+}", "", text))) >= 3:
                assert text not in variants(texts[code][key]), key


@pytest.mark.parametrize("code", ("en", *OTHERS))
def test_texts_are_tidy(texts, code: str):
    for key, text in texts[code].items():
        for words in variants(text):
            assert words == words.strip() != "", key
            assert "  " not in words, key
            assert "..." not in words, key
            assert "'" not in words, f"{key}: a typewriter's apostrophe"
