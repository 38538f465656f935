"""No text of a stranger rules a terminal, turns a line around or hides something: all of that becomes visible."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from immy_nornir.text.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Zürich 東京 👩\u200d💻 ب\u200cب, a\u00a0b", "Zürich 東京 👩\u200d💻 ب\u200cب, a\u00a0b"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]52;c;cm0gLXJm\x07", r"\x1b]52;c;cm0gLXJm\x07"),
        ("\x9b31m\x9d0;title\x9c", r"\x9b31m\x9d0;title\x9c"),
        ("sec\x00ret", r"sec\x00ret"),
        ("a\x7f\x08b\x85c", r"a\x7f\x08b\x85c"),
        ("invoice\u202egpj.exe", r"invoice\u202egpj.exe"),
        ("\u2066a\u2069\u200eb\u200fc\u061cd", r"\u2066a\u2069\u200eb\u200fc\u061cd"),
        ("one\u2028two\u2029three", r"one\u2028two\u2029three"),
        ("one\r\n\ttwo\n", r"one\r\n\ttwo\n"),
        ("half \udcff", r"half \udcff"),
        ("\ufeffmark \ufffe \uffff", r"\ufeffmark \ufffe \uffff"),
        ("replaced \ufffd \ufffc", "replaced \ufffd \ufffc"),
        ("\U000e0041", r"\U000e0041"),
        (r"C:\x1b \u202e", r"C:\x1b \u202e"),
    ],
)
def test_what_is_hidden_is_shown_and_everything_else_stays(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_lines_and_tabs_stay_where_they_are_wanted_and_nothing_else() -> None:
    assert visible("one\r\n\ttwo\x0b\x0c\u2028\n", lines=True) == "one\\r\n\ttwo\\x0b\\x0c\\u2028\n"


def test_no_control_direction_separator_or_half_of_all_characters_comes_through() -> None:
    allowed = {chr(code) for code in (0x200B, 0x200C, 0x200D, 0x2060)}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    bad = {
        one
        for one in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(one) in turning
    }
    assert {one for one in bad if visible(one) == one} == set()
    assert all(visible(one) == one for one in allowed | {"\ufffc", "\ufffd", " ", "\u00ad"})


def test_nothing_is_taken_away_so_that_no_pieces_come_together() -> None:
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2028, 0xFEFF):
        assert "secret" not in visible(f"sec{chr(code)}ret")
