"""Full text search in Russian and English, with beginnings of words as the fallback.

Owns the search column's expression and the predicate that asks it. Ranking is not offered: lists
are ordered by their sort, so that pages stay stable.
"""

import re
from typing import Any

from sqlalchemy import ColumnElement, Computed, cast, func, literal, literal_column
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.orm import MappedColumn, mapped_column

MAX_SEARCH_LENGTH = 200
_LANGUAGES = ("english", "russian")
_MAX_PREFIXES = 16
_WORD = re.compile(r"\w+")
# PostgreSQL keeps an e-mail address as one word, whose beginning `to_tsquery` would take apart.
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]*")
# With "…" or -word the caller asks for precision, which beginnings of words would undo.
_OPERATOR = re.compile(r'"|(?:^|\s)-')


def search_expression(*columns: str) -> str:
    """SQL of a generated `tsvector` over text columns of the same table, for a migration.

    It holds the stems of both languages and the words as they are, for the prefix match.
    """
    for column in columns:
        if not column.isidentifier():
            raise ValueError(f"{column!r} is no column name")
    text = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
    vectors = (f"to_tsvector('{name}', {text})" for name in (*_LANGUAGES, "simple"))
    return " || ".join(vectors)


def search_column(*columns: str) -> MappedColumn[Any]:
    """The generated column for a model; give it a GIN index.

    For example `search: Mapped[str] = search_column("title", "description")` and
    `Index(None, "search", postgresql_using="gin")`.
    """
    generated = Computed(search_expression(*columns), persisted=True)
    return mapped_column(TSVECTOR, generated, nullable=True, deferred=True)


def search_predicate(vector: ColumnElement[Any] | Any, text: str) -> ColumnElement[bool]:
    """Whether the vector matches what somebody typed.

    The text is read like in a web search (`or`, `-without`, `"exact phrase"`) in English and in
    Russian; plain words also match as beginnings of words, all of them, and the beginning of an
    e-mail address does. No text is a syntax error.
    """
    queries: list[ColumnElement[Any]] = [
        func.websearch_to_tsquery(literal_column(f"'{name}'"), literal(text)) for name in _LANGUAGES
    ]
    words = [] if _OPERATOR.search(text) else _WORD.findall(text)[:_MAX_PREFIXES]
    if words:
        prefixes = " & ".join(f"'{word}':*" for word in words)
        queries.append(func.to_tsquery(literal_column("'simple'"), literal(prefixes)))
    if _ADDRESS.fullmatch(text):
        queries.append(cast(literal(f"'{text.lower()}':*"), TSQUERY))
    query = queries[0]
    for each in queries[1:]:
        query = query.op("||", precedence=5)(each)
    found: ColumnElement[bool] = vector.bool_op("@@", precedence=5)(query.self_group())
    return found
