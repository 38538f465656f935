"""Reading the answers of a detection: one operation's result, or why it has none; pure.

Not here: what the results mean (decide.detect.detection, decide.detect.compare_resources).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from immy_nornir.model.items import RegistryValue
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus

_LONGEST = 5_000
"""Of the name of an installed program."""


class DetectionError(Exception):
    """One item cannot be judged by what was read; the text becomes its finding, which is unknown."""


class WrongDefinitionError(Exception):
    """One item cannot be judged on any computer, for its definition is wrong; the text becomes its failed finding."""


@dataclass(frozen=True, slots=True)
class Unread:
    """An uninstall entry that could not be read, or a place that may hold many."""

    why: str
    key: str = ""
    """The entry's name in the registry, where it is known."""
    upgrade_code: str = ""
    """Where only the products of one upgrade code are not known: which; `*` for all."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one request, by operation."""

    by_id: Mapping[str, Answer]
    registry: tuple[tuple[str, str], ...]
    """The registry values that were asked for, in the order of the answer's rows."""
    programs: tuple[tuple[str, dict[str, Json]], ...] = ()
    """The entries of the software operation, each with its name in lower case; every item looks through all of them."""
    unread: tuple[Unread, ...] = ()
    """What the software operation could not read."""

    @classmethod
    def of(cls, by_id: Mapping[str, Answer], registry: tuple[tuple[str, str], ...]) -> Answers:
        """The answers, with the installed programs made ready for many questions."""
        listed = by_id.get("software")
        entries = listed.result if listed is not None and isinstance(listed.result, list) else []
        maps = [one for one in entries if isinstance(one, dict)]
        named = [((as_text(one.get("name")) or "").lower(), one) for one in maps if not one.get("error")]
        # Every item looks through every name: one of a megabyte is none, and would cost a second each time.
        endless = [one for name, one in named if len(name) > _LONGEST]
        named = [(name, one) for name, one in named if len(name) <= _LONGEST] if endless else named
        unread = [
            Unread(str(one["error"]), as_text(one.get("key")) or "", as_text(one.get("upgrade_code")) or "")
            for one in maps
            if one.get("error")
        ]
        unread += [
            Unread(f"a name has more than {_LONGEST:,} characters", as_text(one.get("key")) or "") for one in endless
        ]
        unread += [Unread(f"an entry is no map: {one!r:.80}") for one in entries if not isinstance(one, dict)]
        return cls(by_id, registry, tuple(named), tuple(unread))

    def registry_row(self, resource: RegistryValue) -> dict[str, Json]:
        """What was said of one registry value. Raises DetectionError."""
        rows = answer_of(self, "registry")
        index = self.registry.index((resource.key, resource.name))
        if not isinstance(rows, list) or index >= len(rows):
            raise DetectionError("the registry's answer is cut off")
        return element(rows[index], "registry")


def answer_of(answers: Answers, operation: str) -> Json:
    """The result of one operation. Raises DetectionError."""
    answer = answers.by_id.get(operation)
    if answer is None:
        raise DetectionError(f"the operation {operation} was not answered")
    match answer.status:
        case AnswerStatus.OK:
            return answer.result
        case AnswerStatus.FAILED:
            raise DetectionError(answer.error or f"{operation} failed")
        case AnswerStatus.TIMED_OUT:
            raise DetectionError(f"{operation} did not end within its time-out and was ended")
        case AnswerStatus.DIED:
            raise DetectionError(f"{operation} ended the whole process: {answer.error}")


def as_map(value: Json, what: str) -> dict[str, Json]:
    """A value that has to be a map. Raises DetectionError."""
    if not isinstance(value, dict):
        raise DetectionError(f"{what} answered something else than a map: {value!r:.80}")
    return value


def element(value: Json, what: str) -> dict[str, Json]:
    """One map of an answer that tells of many things. Raises DetectionError where it could not be read."""
    read = as_map(value, what)
    if read.get("error"):
        raise DetectionError(str(read["error"]))
    return read


def element_of(answers: Answers, operation: str, name: str) -> dict[str, Json] | None:
    """What an answer by names says of one; None: there is none. Raises DetectionError where it does not say.

    A computer that does not tell names by case answers with one of two that differ in nothing else.
    """
    kind = operation.partition(":")[0]
    rows = as_map(answer_of(answers, operation), kind)
    if name not in rows:
        name = next((one for one in rows if one.lower() == name.lower()), name)
    if name not in rows:
        raise DetectionError(f"the answer of {kind} is cut off: it does not speak of {name}")
    return None if rows[name] is None else element(rows[name], f"{kind} {name}")


def as_text(value: Json) -> str | None:
    """A value as text; None where there is none."""
    return None if value is None else str(value).strip() or None


def said(answers: Answers, operation: str) -> str:
    """What a script said beside its result: its warnings and errors first, they say most."""
    answer = answers.by_id[operation]
    return "\n".join(text for text in (*answer.warnings, answer.output.strip()) if text)


def verdict(answers: Answers, operation: str) -> bool:
    """What a script said that answers with true or false. Raises DetectionError where it said neither."""
    value = answer_of(answers, operation)
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        ended = "nothing" if value is None else f"{value!r:.80}"
        text = said(answers, operation)
        why = f" ({text[:300]})" if text else ""
        raise DetectionError(f"a test must end with true or false; it ended with {ended}{why}")
    return value
