"""Which tenant a computer belongs to: a group directly below `tenants`, or the variable `immy_tenant`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from immy_nornir.fleet.inventory.draft import Draft
from immy_nornir.model.inventory import DEFAULT_TENANT
from immy_nornir.model.places import Place
from immy_nornir.model.values import Value

TENANTS_GROUP = "tenants"
TENANT_VARIABLE = "immy_tenant"


class Tenants:
    """The tenants of a draft; a computer with two is a problem."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        group = draft.groups.get(TENANTS_GROUP)
        self._names = frozenset(child.name for child in group.children) if group else frozenset()

    def of(
        self, computer: str, groups: Sequence[str], variables: Mapping[str, Value], origins: Mapping[str, Place]
    ) -> str:
        """The tenant; `default` when nothing names one."""
        named = [name for name in groups if name in self._names] if self._names else []
        if TENANT_VARIABLE in variables:
            value = variables[TENANT_VARIABLE]
            name = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
            if not name or "{{" in name:
                self._draft.error(
                    origins.get(TENANT_VARIABLE, Place("")),
                    f"{TENANT_VARIABLE} of the computer '{computer}' is no plain name",
                    "write the tenant's name; templates are not expanded here",
                )
                return DEFAULT_TENANT
            if name not in named:
                named.append(name)
        if len(named) > 1:
            names = " and ".join(f"'{name}'" for name in named)
            self._draft.error(
                self._place(computer, origins),
                f"the computer '{computer}' belongs to two tenants: {names}",
                f"take it out of one group below '{TENANTS_GROUP}', or correct {TENANT_VARIABLE}",
            )
        return named[0] if named else DEFAULT_TENANT

    def _place(self, computer: str, origins: Mapping[str, Place]) -> Place:
        """Where the variable stands, or else where the computer or one of its variables does."""
        if TENANT_VARIABLE in origins:
            return origins[TENANT_VARIABLE]
        at = self._draft.computers[computer].spot
        return self._draft.spots.place(at) if at is not None else Place("")


def tenant_of_variables(variables: Mapping[str, Value]) -> str:
    """The tenant of a computer that is in no group."""
    value = variables.get(TENANT_VARIABLE)
    return value if isinstance(value, str) and value else DEFAULT_TENANT
