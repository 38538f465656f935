"""Typed parameters: whether a value fits, and what a template's result becomes; pure.

Values in files are judged when they are read (fleet), results of templates when they are expanded (desires).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from immy_nornir.errors import ImmyError
from immy_nornir.model.items import Parameter, ParameterType
from immy_nornir.model.values import SecretRef, Value
from immy_nornir.model.words import yes_or_no


def fitted(parameter: Parameter, value: Value) -> Value:
    """A value as its parameter wants it: inventories hold numbers and booleans as texts, too.

    Raises ImmyError for what does not fit.
    """
    made = value
    if isinstance(value, str) and parameter.type is ParameterType.NUMBER:
        made = _number(value)
    elif parameter.type is ParameterType.BOOLEAN:
        read = yes_or_no(value)
        made = value if read is None else read
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if parameter.type in (ParameterType.TEXT, ParameterType.SECRET):
            made = str(value)
    elif parameter.type is ParameterType.SELECT:
        made = next((one for one in parameter.choices if str(one) == str(value)), value)
    wrong = wrong_value(parameter, made)
    if wrong:
        raise ImmyError(f"the value of '{parameter.name}' {wrong}")
    return made


def _number(text: str) -> Value:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def wrong_value(parameter: Parameter, value: Value) -> str:
    """What is wrong with a value for a parameter, as the end of a sentence; empty when it fits.

    Text with a template fits any type: what it becomes is known only in the session.
    """
    if isinstance(value, SecretRef) or (isinstance(value, str) and "{{" in value):
        return ""
    if parameter.type is ParameterType.SELECT:
        choices = ", ".join(str(choice) for choice in parameter.choices)
        same = any(value == choice and type(value) is type(choice) for choice in parameter.choices)
        return "" if same else f"is {_shown(value)}, but the choices are {choices}"
    if parameter.type is ParameterType.BOOLEAN and yes_or_no(value) is not None:
        return ""
    wanted: dict[ParameterType, tuple[type, ...]] = {
        ParameterType.TEXT: (str,),
        ParameterType.NUMBER: (int, float),
        ParameterType.BOOLEAN: (bool,),
        ParameterType.LIST: (list, tuple),
        ParameterType.MAP: (dict,),
        ParameterType.SECRET: (str,),
    }
    fits = isinstance(value, wanted[parameter.type])
    if isinstance(value, bool) and parameter.type is ParameterType.NUMBER:
        fits = False
    shown = "a plain value" if parameter.type is ParameterType.SECRET else _shown(value)
    return "" if fits else f"is {shown}, but the parameter's type is {parameter.type}"


def _shown(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text '{value}'"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"
