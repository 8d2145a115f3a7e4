"""What a URL in a message shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import one_line, quoted, without_secrets

SECRET = "S3cr3t"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.zip: gone", "https://host/a.zip: gone"),
        ("https://me:secret@host/a.zip: gone", "https://***@host/a.zip: gone"),
        ("found 'https://me:secret@host:80/a'", "found 'https://***@host:80/a'"),
        ("ssh://token@host and s3://me:secret@there", "ssh://***@host and s3://***@there"),
        ("http://me:sec@ret@host/", "http://***@host/"),
        ("http://me:sec/ret@host/", "http://***@host/"),
        ("http://me:sec'r\"et@host/", "http://***@host/"),
        ("http://:secret@host/", "http://***@host/"),
        ("https://host/a?token=x, b", "https://host/a?***, b"),
        ("https://host/a?X-Amz-Date=1&X-Amz-Signature=x#y: gone", "https://host/a?***: gone"),
        ("https://host/a&sig=x", "https://host/a?***"),
        ("http://me:sec?ret@host/a: gone", "http://***: gone"),
        ("me@host? yes & no", "me@host? yes & no"),
    ],
)
def test_a_url_in_a_message_has_its_scheme_host_and_path(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_value_that_is_a_url_may_have_spaces_in_it() -> None:
    assert quoted("https://me:sec ret@host/a b") == "'https://***@host/a b'"
    assert quoted("https://host/a?token=sec ret") == "'https://host/a?***'"
    assert quoted(["https://host/a?token=secret", 1]) == "['https://host/a?***', 1]"
    # Before it is cut.
    assert SECRET not in quoted(f"https://me:{SECRET}{'x' * 500}@host/a")


def around_a_secret(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    anything = st.text(st.one_of(alphabet, st.sampled_from("@:/?#&=%'\"\\")), max_size=8)
    return st.tuples(anything, anything).map(SECRET.join)


LETTERS = st.characters(exclude_categories=["Cs"])
UNBROKEN = LETTERS.filter(lambda letter: letter not in " \t\n\r\f\v")


def urls(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """With a secret as a user, a password, or in a query or a fragment."""
    secret, path = around_a_secret(alphabet), st.sampled_from(["", "/", "/a.zip", "/a/@b/c%20d"])
    who = st.one_of(secret.map("{}@".format), secret.map("me:{}@".format))
    asked = st.one_of(
        secret.map("?token={}".format), secret.map("?a=1&X-Amz-Signature={}".format), secret.map("#{}".format)
    )
    return st.one_of(
        st.builds("https://{}host{}".format, who, path),
        st.builds("https://host{}{}".format, path, asked),
        st.builds("https://{}host:8080{}{}".format, who, path, asked),
    )


@settings(max_examples=500, deadline=None, derandomize=True)
@given(urls(UNBROKEN), st.sampled_from(["{}", "{}: gone", "found '{}', expected '{}'", "a (see {}); b", "a@b: {}"]))
def test_nothing_secret_of_a_url_is_in_a_message(url: str, message: str) -> None:
    for said in (without_secrets, one_line):
        assert SECRET not in said(message.replace("{}", url))


@pytest.mark.parametrize("value", [lambda url: url, lambda url: f" {url} "])
@settings(max_examples=300, deadline=None, derandomize=True)
@given(url=urls(LETTERS))
def test_nothing_secret_of_a_value_that_is_a_url_is_quoted(value: Callable[[str], str], url: str) -> None:
    assert SECRET not in one_line(f"params.yaml: url: found {quoted(value(url))}, expected a string")
