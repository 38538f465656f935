"""Declarative bodies with their templates expanded over the parameters of one desire; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from immy_nornir.model.items import Declarative, Resource
from immy_nornir.model.values import Value
from immy_nornir.text import templates


def concrete(body: Declarative, params: Mapping[str, Value]) -> Declarative:
    """The same resources with every `{{ params.x }}` replaced.

    Raises: TemplateError.
    """
    return Declarative(tuple(_expanded(resource, params) for resource in body.resources))


def _expanded(resource: Resource, params: Mapping[str, Value]) -> Resource:
    changed: dict[str, Value] = {}
    for field in dataclasses.fields(resource):
        value = getattr(resource, field.name)
        if _holds_template(value):
            new = templates.expand(value, {"params": params, **params})
            text_wanted = isinstance(value, str) and field.name != "value"
            changed[field.name] = str(new) if text_wanted else new
    return dataclasses.replace(resource, **changed) if changed else resource  # type: ignore[arg-type]  # fields keep their types


def _holds_template(value: object) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return isinstance(value, list | tuple) and any(_holds_template(one) for one in value)
