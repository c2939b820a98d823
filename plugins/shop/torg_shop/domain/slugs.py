"""Words for addresses out of names. Pure."""

import re
import unicodedata

_LONGEST = 60
_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "e",
            "zh",
            "z",
            "i",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shch",
            "_",
            "y",
            "_",
            "e",
            "yu",
            "ya",
        ],
        strict=True,
    )
)


def slug_of(name: str) -> str:
    """Lower-case Latin letters and digits joined by hyphens; "category" when none are left."""
    latin = "".join(_CYRILLIC.get(letter, letter) for letter in name.lower()).replace("_", "")
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    return "-".join(words)[:_LONGEST].strip("-") or "category"
