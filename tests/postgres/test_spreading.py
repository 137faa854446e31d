"""The tables can be spread over many servers: by the cell of their tenant, or copied whole."""

from collections.abc import Mapping

import psycopg

from tests.promises import proves

SPREAD_BY: Mapping[str, str] = dict.fromkeys(
    (
        "audit_log",
        "audit_log_heads",
        "log_checkpoints",
        "log_cosignatures",
        "log_pieces",
        "log_trees",
        "log_witnesses",
    ),
    "log",
)
"""What belongs to no tenant and grows: spread by the number of the log."""

COPIED_WHOLE = {"alembic_version", "price_books", "signing_keys", "venue_changes"}
"""Small and the same for everybody, so that each server has all of it."""

LOOKED_UP_FIRST = {"directory": "canonical_uri"}
"""Says where something is, so it cannot lie where that is; spread by what one asks for."""

EVERY_UNIQUE_KEY = (
    "select c.relname, i.relname, array(select attname::text from unnest(x.indkey) with ordinality"
    " as k (attnum, place) join pg_attribute a using (attnum)"
    " where a.attrelid = c.oid order by place)"
    " from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid"
    " where x.indisunique and c.relnamespace = 'public'::regnamespace"
)
EVERY_TABLE = (
    "select relname from pg_class where relkind in ('r', 'p')"
    " and relnamespace = 'public'::regnamespace"
)
EVERY_REFERENCE = (
    "select c.relname, o.relname, array(select attname::text from unnest(k.conkey) with ordinality"
    " as n (attnum, place) join pg_attribute a using (attnum)"
    " where a.attrelid = c.oid order by place)"
    " from pg_constraint k join pg_class c on c.oid = k.conrelid"
    " join pg_class o on o.oid = k.confrelid where k.contype = 'f'"
)


@proves("tables-can-be-spread")
def test_every_unique_key_leads_with_the_column_that_spreads_its_table(database: str) -> None:
    """A server that holds a part of a table can only answer for what is unique in that part."""
    with psycopg.connect(database) as connection:
        tables = {row[0] for row in connection.execute(EVERY_TABLE)}
        keys = connection.execute(EVERY_UNIQUE_KEY).fetchall()
    assert {table for table, _, _ in keys} == tables
    assert [
        (table, key, columns)
        for table, key, columns in keys
        if table not in COPIED_WHOLE and columns[0] != spreads(table)
    ] == []


@proves("tables-can-be-spread")
def test_whatever_refers_to_a_spread_table_lies_beside_what_it_refers_to(database: str) -> None:
    with psycopg.connect(database) as connection:
        references = connection.execute(EVERY_REFERENCE).fetchall()
    assert references
    assert [
        (table, other, columns)
        for table, other, columns in references
        if other not in COPIED_WHOLE and not spreads(table) == spreads(other) == columns[0]
    ] == []


def spreads(table: str) -> str:
    """The column by which a table is spread."""
    return {**SPREAD_BY, **LOOKED_UP_FIRST}.get(table, "cell")
