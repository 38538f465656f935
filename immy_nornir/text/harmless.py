"""Text -> one line that is nothing but text wherever it is shown: no Markdown, HTML, mention or header begins in it.

For messages that leave for mail and chats, whose programs read marks in a text. Which of them reads what is not known
here, so that nothing can be escaped for all: a mark gives way to a character that looks like it.
"""

from __future__ import annotations

from typing import Final

from immy_nornir.text.visible import visible

_LOOKALIKES: Final = str.maketrans(
    {
        "<": "\u2039",
        ">": "\u203a",
        "[": "(",
        "]": ")",
        "*": "\u2217",
        "`": "'",
        "@": "\uff20",
        "|": "\u00a6",
        "~": "\u223c",
        "&": "+",
    }
)


def harmless(text: str, longest: int = 400) -> str:
    r"""The text in one line (a line end in it is `\n`, visibly), cut after so many characters."""
    shown = visible(text.strip()).translate(_LOOKALIKES)
    if shown[:1] in ("#", "-", "+", "=", "!", "/"):  # at the beginning of a line they mean something
        shown = f"'{shown}"
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
