"""The environments that report templates run in; the only place of `report` that knows Jinja.

Sandboxed, with strict undefined. HTML is escaped by itself, Markdown by a finalizer: whatever a template prints with
`{{ }}` is data, unless it is marked `|safe`. A fleet's own `report.html.j2` or `report.md.j2` takes the place of the
shipped one and may extend it as `immy/report.html.j2`. Texts come without hidden characters already (`build`).
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from immy_nornir.errors import FilesError
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.report import model, words

SHIPPED = Path(__file__).parent / "templates"


def expand(name: str, folder: Path | None, values: Mapping[str, Any]) -> str:
    """A template with its values put in: the folder's own of this name, else the shipped one.

    Raises: FilesError with file and line when a template cannot be read, or uses what there is not.
    """
    environment = _environment(folder, markdown=name.endswith(".md.j2"))
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateSyntaxError as error:
        place = Place(error.filename or error.name or name, error.lineno)
        raise _problem(place, f"not readable as a template: {error.message}", "check brackets and block ends") from None
    except jinja2.TemplateNotFound as error:
        advice = "templates include others of their folder, and the shipped ones as 'immy/NAME'"
        raise _problem(_place_of(error, name), f"there is no template '{error.message}'", advice) from None
    except UnicodeDecodeError as error:
        file = str(folder / name) if folder else name
        raise _problem(Place(file), f"not UTF-8 text ({error.reason})", "save it as UTF-8") from None
    except Exception as error:
        place = _place_of(error, name)
        if place.file.startswith(str(SHIPPED)):
            raise  # a bug of ours, which the command line reports as one
        told = isinstance(error, jinja2.TemplateError | TypeError | ValueError | ArithmeticError)
        what = str(error) if told else "it cannot be filled in"
        raise _problem(
            place, f"the template fails: {what}", "the fields of a report are in immy_nornir/report/model.py"
        ) from None


def _problem(place: Place, message: str, advice: str) -> FilesError:
    return FilesError([Problem(place, Level.ERROR, message, advice)])


def _place_of(error: Exception, name: str) -> Place:
    """The innermost line of a template that an error came from; Jinja rewrites the traceback to template lines."""
    place = Place(name)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith(".j2"):
            place = Place(file, trace.tb_lineno)
        trace = trace.tb_next
    return place


_FIELDS: Mapping[type, frozenset[str]] = {
    kind: frozenset(name for name in dir(kind) if not name.startswith("_"))
    for kind in vars(model).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}
"""What templates may read of each of our own values."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Knows the fields of our own frozen values at once: Jinja's checks of each access take most of a large report."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute in _FIELDS.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


def _environment(folder: Path | None, *, markdown: bool) -> jinja2.Environment:
    shipped = jinja2.FileSystemLoader(SHIPPED)
    own = [jinja2.FileSystemLoader(folder)] if folder is not None else []
    environment = _Sandbox(
        loader=jinja2.ChoiceLoader([*own, shipped, jinja2.PrefixLoader({"immy": shipped})]),
        undefined=jinja2.StrictUndefined,
        autoescape=not markdown,
        finalize=markdown_text if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment


def tail(output: str, lines: int = 40) -> str:
    """The last lines of an output, at most 200 characters for each on average."""
    text = output.rstrip()
    last = "\n".join(text.splitlines()[-lines:])[-lines * 200 :]
    return last if len(last) == len(text) else f"[...]\n{last}"


def fence(text: str, indent: int = 0) -> Markup:
    """A block of code in Markdown whose fence its text cannot close, indented for the list that it belongs to."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    block = textwrap.indent(f"{ticks}text\n{text}\n{ticks}", " " * indent)
    return Markup(block)  # noqa: S704 - nothing in a fenced block is markup


_SPACE = re.compile(r"\s+")
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SCHEME = re.compile(r"(?i)\b(https?|ftp)(?=://)|\b(www)(?=\.)")
_AT = re.compile(r"@|#(?=[0-9])")
"""What GitHub and others make links of without any sign of markup: addresses, mail, names of people, issues."""
_JOINER = "&#8288;"
"""Shows nothing; a backslash does not help where such links are looked for in the finished text."""
_AMPERSAND = re.compile(r"&(?=#|[A-Za-z])")
_LINE_START = re.compile(r"^([#+=>-]|\d+(?=[.)](?:\s|$)))")


def markdown_text(value: Any) -> Any:
    """A value as Markdown that shows it, on one line; Markup goes through."""
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    text = _SPACE.sub(" ", str(value)).strip()
    text = _SPECIAL.sub(lambda found: "\\" + found[0], text)
    text = _AMPERSAND.sub("&amp;", text).replace("<", "&lt;")
    text = _SCHEME.sub(lambda found: f"{found[0]}\\", text)
    text = _AT.sub(lambda found: found[0] + _JOINER, text)
    return _LINE_START.sub(lambda found: _escape_start(found[0]), text)


def _escape_start(start: str) -> str:
    # "2026. " at the start of a line would be a numbered list; a backslash before a digit is not an escape.
    return f"{start}\\" if start.isdigit() else "\\" + start


def css_text(value: str) -> Markup:
    """A text as a string of CSS that it cannot end."""
    escaped = "".join(one if one.isascii() and one.isalnum() else f"\\{ord(one):x} " for one in value)
    return Markup(f'"{escaped}"')  # noqa: S704 - letters, digits, and backslashes of CSS


FILTERS: Mapping[str, Callable[..., Any]] = {
    "status_word": words.status_word,
    "status_meaning": words.status_meaning,
    "run_word": words.run_word,
    "outcome_word": words.outcome_word,
    "action_word": words.action_word,
    "count_of": words.count,
    "took": words.took,
    "iso": words.iso,
    "when": words.when,
    "plain": words.plain,
    "tail": tail,
    "css_text": css_text,
    "item_name": words.item_name,
    "tenant_title": words.tenant_title,
    "fence": fence,
}
