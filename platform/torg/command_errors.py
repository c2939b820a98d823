"""The error a person at a terminal reads: what happened, where, why, and what to do next.

Owns only the shape of that message; which command ends with which exit code is `cli`'s.
Errors that travel over HTTP are another family (`errors`).
"""

from __future__ import annotations

from collections.abc import Sequence


class CommandError(Exception):
    """A problem that ends a command with exit code 1 and a message for a person.

    Args:
        what: What went wrong, one short sentence without a full stop.
        where: The file, setting, address or process it is about.
        why: The cause as far as it is known.
        next_steps: Commands or actions that mend it, the likeliest first.
    """

    def __init__(
        self, what: str, *, where: str = "", why: str = "", next_steps: Sequence[str] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next_steps = tuple(next_steps)

    def __str__(self) -> str:
        """The whole message, several lines, ready for stderr."""
        lines = [self.what]
        if self.where:
            lines.append(f"  Where:  {self.where}")
        if self.why:
            lines.append(f"  Why:    {self.why}")
        for number, step in enumerate(self.next_steps):
            lines.append(f"  {'Next:  ' if number == 0 else '       '} {step}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same facts for a machine (`--json`)."""
        return {
            "error": self.what,
            "where": self.where,
            "why": self.why,
            "next": list(self.next_steps),
        }
