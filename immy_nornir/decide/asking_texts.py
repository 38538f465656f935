"""What people read who are asked before a reboot: built-in texts + the fleet's own -> the words of one question; pure.

A fleet says its own with the variable `immy_prompt_texts`, by language, for a tenant in its group_vars. The computer
shows the language of the person. Not here: who is asked (decide.steps.holding.asking), or how (session.asking).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from immy_nornir.model.record.question_entries import QuestionKind
from immy_nornir.model.values import Value

NOW, REFUSE, SILENT, IMPOSSIBLE = 100, 101, 102, 103
"""Exit codes of a question's job."""
LATER = 110
"""The first of those that stand for the times that are offered, in their order."""
LONGEST = 2_000
"""Characters of one text."""

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Restart needed",
        "consent": "This computer has to be restarted to finish its maintenance: {{ reason }}.",
        "countdown": "This computer is restarted soon to finish its maintenance: {{ reason }}. Please save your work.",
        "rest_consent": "This question closes in %TIME% minutes.",
        "rest_countdown": "Restart in %TIME% minutes.",
        "now": "Restart now",
        "later_minutes": "In {{ number }} minutes",
        "later_hour": "In 1 hour",
        "later_hours": "In {{ number }} hours",
        "refuse": "Not today",
    },
    "de": {
        "title": "Neustart erforderlich",
        "consent": "Dieser Computer muss neu gestartet werden, um seine Wartung abzuschließen: {{ reason }}.",
        "countdown": "Dieser Computer wird bald neu gestartet, um seine Wartung abzuschließen: {{ reason }}. "
        "Bitte speichern Sie jetzt Ihre Arbeit.",
        "rest_consent": "Diese Frage schließt sich in %TIME% Minuten.",
        "rest_countdown": "Neustart in %TIME% Minuten.",
        "now": "Jetzt neu starten",
        "later_minutes": "In {{ number }} Minuten",
        "later_hour": "In 1 Stunde",
        "later_hours": "In {{ number }} Stunden",
        "refuse": "Heute nicht",
    },
    "fr": {
        "title": "Redémarrage nécessaire",
        "consent": "Cet ordinateur doit être redémarré pour terminer sa maintenance : {{ reason }}.",
        "countdown": "Cet ordinateur va être redémarré pour terminer sa maintenance : {{ reason }}. "
        "Veuillez enregistrer votre travail.",
        "rest_consent": "Cette question se ferme dans %TIME% minutes.",
        "rest_countdown": "Redémarrage dans %TIME% minutes.",
        "now": "Redémarrer maintenant",
        "later_minutes": "Dans {{ number }} minutes",
        "later_hour": "Dans 1 heure",
        "later_hours": "Dans {{ number }} heures",
        "refuse": "Pas aujourd'hui",
    },
    "es": {
        "title": "Reinicio necesario",
        "consent": "Este equipo debe reiniciarse para terminar su mantenimiento: {{ reason }}.",
        "countdown": "Este equipo se va a reiniciar para terminar su mantenimiento: {{ reason }}. "
        "Guarde ahora su trabajo.",
        "rest_consent": "Esta pregunta se cierra en %TIME% minutos.",
        "rest_countdown": "Reinicio en %TIME% minutos.",
        "now": "Reiniciar ahora",
        "later_minutes": "En {{ number }} minutos",
        "later_hour": "En 1 hora",
        "later_hours": "En {{ number }} horas",
        "refuse": "Hoy no",
    },
}
"""By language; the first is shown where a person's own is not there."""
KEYS = tuple(TEXTS["en"])


def texts_of(own: Value) -> dict[str, dict[str, str]]:
    """The texts by language: the built-in ones with the fleet's own over them, whose languages come first.

    A map of texts without languages holds for all. Raises: ValueError for anything else, or a text that there is not.
    """
    if own is None:
        own = {}
    if not isinstance(own, Mapping):
        raise ValueError("it has to be a map of texts, or of languages with texts")
    if own and all(isinstance(one, str) for one in own.values()):
        return {name: {**texts, **_checked(own)} for name, texts in TEXTS.items()}
    made: dict[str, dict[str, str]] = {}
    for language, texts in own.items():
        if not isinstance(texts, Mapping):
            raise ValueError(f"the texts of {language} have to be a map")
        known = TEXTS.get(str(language).partition("-")[0], TEXTS["en"])
        made[str(language)] = {**known, **_checked(texts)}
    return {**made, **{name: dict(texts) for name, texts in TEXTS.items() if name not in made}}


def _checked(texts: Mapping[str, Value]) -> dict[str, str]:
    for name, text in texts.items():
        if name not in KEYS:
            raise ValueError(f"there is no text '{name}'; there are {', '.join(KEYS)}")
        if not isinstance(text, str):
            raise ValueError(f"the text '{name}' has to be a text")
    return {name: str(text)[:LONGEST] for name, text in texts.items()}


def codes_of(kind: QuestionKind, later: Sequence[int]) -> list[int]:
    """The answers that are offered, in the order in which they are shown."""
    if kind is QuestionKind.COUNTDOWN:
        return [NOW]
    return [NOW, *(LATER + number for number in range(len(later))), REFUSE]


def params_of(
    kind: QuestionKind,
    later: Sequence[int],
    texts: Mapping[str, Mapping[str, str]],
    render: Callable[[str, Mapping[str, Value]], str],
    values: Mapping[str, Value],
) -> dict[str, str]:
    """The parameters of a dialog, but its seconds; `render` fills in a text's values."""
    codes = codes_of(kind, later)
    params = {"kind": str(kind), "codes": " ".join(map(str, codes)), "languages": " ".join(texts)}
    for language, words in texts.items():
        params[f"title_{language}"] = render(words["title"], values)
        params[f"text_{language}"] = render(words[str(kind)], values)
        params[f"rest_{language}"] = words[f"rest_{kind}"]
        for code in codes:
            name, number = _answer(code, later)
            params[f"answer_{code}_{language}"] = render(words[name], {**values, "number": number})
    return params


def _answer(code: int, later: Sequence[int]) -> tuple[str, int]:
    if code in (NOW, REFUSE):
        return "now" if code == NOW else "refuse", 0
    minutes = later[code - LATER]
    if minutes % 60:
        return "later_minutes", minutes
    return ("later_hour" if minutes == 60 else "later_hours"), minutes // 60
