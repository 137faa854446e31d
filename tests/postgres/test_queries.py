"""A file of queries is read as it was meant, or refused with the place that is wrong."""

import pytest

from ainfera_server.postgres import queries
from ainfera_server.postgres.queries import BadQueryFile

GOOD = """-- What this file is for.

-- name: first
-- Why the first exists.
select 1

-- name: second_one
-- Why the second exists.
-- A note that stays with the statement.
select $1::text  -- and this as well
where true
"""


def test_a_file_is_split_into_its_named_queries() -> None:
    found = queries.parse(GOOD, where="here")
    assert found == {
        "first": "select 1",
        "second_one": "-- A note that stays with the statement.\n"
        "select $1::text  -- and this as well\nwhere true",
    }


def test_what_was_read_cannot_be_changed() -> None:
    found = queries.parse(GOOD, where="here")
    with pytest.raises(TypeError):
        found["first"] = "select 2"  # pyright: ignore[reportIndexIssue]


def test_a_file_is_found_beside_the_module_that_asks() -> None:
    found = queries.load("ainfera_server.postgres.tenancy", "tenancy.sql")
    assert "app.tenant_id" in found["become_tenant"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no line says"),
        ("select 1", "no line says"),
        ("select 1\n" + GOOD, "stands above"),
        (GOOD + "-- name: first\n-- Why.\nselect 2", "two queries are called 'first'"),
        ("-- name: first\nselect 1", "'first' needs a comment line"),
        ("-- name: first\n--\nselect 1", "'first' needs a comment line"),
        ("-- name: first\n\n-- Why.\nselect 1", "'first' needs a comment line"),
        ("-- name: first\n-- Why.\n", "'first' has no SQL"),
        ("-- name: first\n-- Why.\n-- Only words.", "'first' has no SQL"),
        ("-- name: First\n-- Why.\nselect 1", "snake_case"),
        ("-- name first\n-- Why.\nselect 1", "snake_case"),
        ("--name: first\n-- Why.\nselect 1", "snake_case"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadQueryFile, match=rf"^here.*{complaint}"):
        queries.parse(text, where="here")
