"""Finds the texts of a package that people read, so that a test can ask whether all are translated.

Reads source and templates without importing them. It knows the places where texts stand by the
conventions of the host: `title` and `detail` of error classes, messages of fields, arguments of
`gettext` and `ngettext`, and `_("…")` in templates. Used by tests and by `torg plugins check`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from torg import i18n

_ATTRIBUTES = frozenset({"title", "detail"})
_TABLES = frozenset({"default_error_messages", "error_messages", "_MESSAGES"})
# By name: which arguments are texts.
_CALLS = {
    "gettext": (0,),
    "_": (0,),
    "ngettext": (0, 1),
    "Message": (1,),
    "problem": (1,),
    "FieldProblem": (2,),
}
_IN_TEMPLATE = re.compile(r"""\b_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


def texts(package: Path) -> list[str]:
    """Every text of a package's folder that is meant for people, sorted.

    Args:
        package: the folder of the package; its `templates` and `plugin.toml` are read too.
    """
    found: set[str] = set()
    for path in sorted(package.rglob("*.py")):
        if "migrations" not in path.parts:
            found.update(_of_module(ast.parse(path.read_text(encoding="utf-8"))))
    for path in sorted(package.rglob("templates/**/*")):
        # Mails have a file for each language; what they share with others stands in `_("…")`.
        if path.suffix in (".html", ".txt"):
            for double, single in _IN_TEMPLATE.findall(path.read_text(encoding="utf-8")):
                found.add(double or single)
    return sorted(text for text in found if re.search(r"[^\W\d_]{2}", text))


def untranslated(package: Path, locale: str = "ru") -> list[str]:
    """The texts of a package that its own catalogue and the host's lack."""
    host = Path(__file__).parent
    folders = {package / "translations", host / "translations"}
    return i18n.untranslated(locale, texts(package), sorted(folders))


def _of_module(tree: ast.Module) -> Iterator[str]:
    yield from _of_tables(_assigned(tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else name
            for position in _CALLS.get(name or "", ()):
                if position < len(node.args):
                    yield from _literal(node.args[position])


def _of_class(node: ast.ClassDef) -> Iterator[str]:
    names = _assigned(node.body)
    # Other classes have titles too; an error is one that states a code or is named so.
    if "code" in names or node.name.endswith("Error"):
        for attribute in _ATTRIBUTES & set(names):
            yield from _literal(names[attribute])
    yield from _of_tables(names)


def _of_tables(names: dict[str, ast.expr]) -> Iterator[str]:
    for table in _TABLES & set(names):
        value = names[table]
        if isinstance(value, ast.Dict):
            for item in value.values:
                yield from _literal(item)


def _assigned(body: list[ast.stmt]) -> dict[str, ast.expr]:
    names: dict[str, ast.expr] = {}
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            names[statement.targets[0].id] = statement.value
        elif (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value is not None
        ):
            names[statement.target.id] = statement.value
    return names


def _literal(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
