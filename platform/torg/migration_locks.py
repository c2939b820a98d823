"""What a migration's SQL would lock, for the plan: pure reading of statements.

Owns notes for people, not guarantees: it knows the statements that stop a busy market most often.
Tables that the same revision makes are left out, since nobody uses them yet.
"""

from __future__ import annotations

import re

_TABLE = r'(?:IF EXISTS\s+)?(?:ONLY\s+)?"?([a-z_][a-z0-9_]*)"?'
_MADE = re.compile(rf"\bCREATE TABLE (?:IF NOT EXISTS\s+)?{_TABLE}", re.IGNORECASE)
_ALTER = re.compile(rf"^\s*ALTER TABLE {_TABLE}\s+(.*)", re.IGNORECASE | re.DOTALL)
_RULES = (
    (r"\bALTER COLUMN \S+ (?:SET DATA )?TYPE\b", "rewrites it: nobody reads or writes meanwhile"),
    (
        r"\bSET NOT NULL\b",
        "reads all of it while nobody else may; first VALIDATE a CHECK (… IS NOT NULL) NOT VALID",
    ),
    (
        r"\bADD (?:CONSTRAINT \S+ )?(?:FOREIGN KEY|CHECK)\b(?!.*\bNOT VALID\b)",
        "checks every row while nobody writes; add it NOT VALID and VALIDATE it in a later step",
    ),
    (
        r"\bADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY)\b(?!.*\bUSING INDEX\b)",
        "builds an index while nobody reads or writes; make it CONCURRENTLY, then USING INDEX",
    ),
    (
        r"\bADD COLUMN\b.*\b(?:GENERATED ALWAYS AS \(|clock_timestamp|random|SERIAL|AS IDENTITY)",
        "rewrites it: nobody reads or writes meanwhile",
    ),
    (r"\bDROP COLUMN\b", "code of the version before no longer finds the column"),
    (r"\bRENAME\b", "code of the version before no longer finds the old name"),
)
_INDEX = re.compile(
    rf"\bCREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*?\bON {_TABLE}", re.IGNORECASE | re.DOTALL
)
_DROP = re.compile(rf"^\s*DROP TABLE {_TABLE}", re.IGNORECASE)
_ROWS = re.compile(rf"^\s*(?:UPDATE|DELETE FROM) {_TABLE}", re.IGNORECASE)


def notes(sql: str) -> list[str]:
    """Sentences about tables that would be locked for long or break running code.

    Args:
        sql: one revision's statements, separated by `;` at the end of a line.
    """
    made = {name.lower() for name in _MADE.findall(sql)}
    found: list[str] = []
    for statement in re.split(r";\s*(?:\n|$)", sql):
        table, note = _note(statement)
        if table and table.lower() not in made:
            found.append(f"{table}: {note}")
    return list(dict.fromkeys(found))


def _note(statement: str) -> tuple[str, str]:
    if altered := _ALTER.match(statement):
        table, change = altered.groups()
        for pattern, note in _RULES:
            if re.search(pattern, change, re.IGNORECASE | re.DOTALL):
                return table, note
        return table, "locked for a moment; waits for running transactions on it"
    if index := _INDEX.search(statement):
        return index.group(1), "nobody writes while the index is built; make it CONCURRENTLY"
    if dropped := _DROP.match(statement):
        return dropped.group(1), "goes, with its rows"
    if changed := _ROWS.match(statement):
        return changed.group(1), "changes rows and keeps them locked to the end; big ones as a job"
    return "", ""
