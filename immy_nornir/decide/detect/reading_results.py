"""Reading the answers of a detection: one operation's result, or why it has none; pure.

Not here: what the results mean (decide.detect.detection, decide.detect.compare_resources).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from immy_nornir.model.items import RegistryValue
from immy_nornir.model.values import Json
from immy_nornir.model.wire import Answer, AnswerStatus


class DetectionError(Exception):
    """One item cannot be judged; the text becomes its finding."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one request, by operation."""

    by_id: Mapping[str, Answer]
    registry: tuple[tuple[str, str], ...]
    """The registry values that were asked for, in the order of the answer's rows."""
    programs: tuple[tuple[str, dict[str, Json]], ...] = ()
    """The entries of the software operation, each with its name in lower case; every item looks through all of them."""

    @classmethod
    def of(cls, by_id: Mapping[str, Answer], registry: tuple[tuple[str, str], ...]) -> Answers:
        """The answers, with the installed programs made ready for many questions."""
        listed = by_id.get("software")
        entries = listed.result if listed is not None and isinstance(listed.result, list) else []
        named = [((as_text(one.get("name")) or "").lower(), one) for one in entries if isinstance(one, dict)]
        return cls(by_id, registry, tuple(named))

    def registry_row(self, resource: RegistryValue) -> dict[str, Json]:
        """What was said of one registry value. Raises DetectionError."""
        rows = answer_of(self, "registry")
        index = self.registry.index((resource.key, resource.name))
        if not isinstance(rows, list) or index >= len(rows):
            raise DetectionError("the registry's answer is cut off")
        return as_map(rows[index], "registry")


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


def as_text(value: Json) -> str | None:
    """A value as text; None where there is none."""
    return None if value is None else str(value).strip() or None
