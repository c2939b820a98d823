"""What a plugin's code imports, read without running it.

Owns one rule: a plugin names nothing of another plugin, so that either may be absent, and its
revisions name nothing of the plugin either, so that they mean the same for ever.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from importlib.metadata import entry_points
from pathlib import Path

_REVISIONS = ("migrations", "versions")


def problems(package: str, folder: Path, others: Collection[str]) -> list[str]:
    """Imports that break the rule, one sentence each.

    Args:
        package: the plugin's package.
        folder: where its code lies.
        others: packages of other installed plugins; any further `torg_…` counts as one too, but
            for contract packages (entry points `torg.contracts`), which belong to no plugin.
    """
    contracts = {each.value for each in entry_points(group="torg.contracts")}
    found = []
    for path in sorted(folder.rglob("*.py")):
        try:
            module = ast.parse(path.read_bytes())
        except SyntaxError as error:
            found.append(f"{path}: cannot be read: {error}")
            continue
        place = path.relative_to(folder.parent)
        is_revision = path.parent.parts[-2:] == _REVISIONS
        for line, name in _imported(module):
            top = name.partition(".")[0]
            if top == package:
                if is_revision:
                    found.append(f"{place}:{line} imports {name}; a revision keeps its own words")
            elif top in others or (top.startswith("torg_") and top not in contracts):
                found.append(
                    f"{place}:{line} imports {name} of another plugin; use a contract, an event or "
                    "a hook"
                )
    return found


def _imported(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and node.args and _loads(node.func):
            word = node.args[0]
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield node.lineno, word.value


def _loads(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"import_module", "__import__"}
