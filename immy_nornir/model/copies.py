"""Changed copies of values, at a tenth of what `dataclasses.replace` takes for a value of many fields.

That calls the constructor, which sets each field of a frozen class through `object.__setattr__`; a session's state has
fifty of them, and is copied for every entry. Here a copy is filled as an object of a twin class, which may be written
to and has the same slots, and then becomes one of its own class.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414 - mypy knows the fields of this one
else:
    import dataclasses

    def replace(value, /, **changes):
        """A copy of a dataclass's value with some fields changed; means what `dataclasses.replace` means.

        Raises: TypeError for a name that is no field.
        """
        copy = _copier(type(value))
        return dataclasses.replace(value, **changes) if copy is None else copy(value, changes)

    @functools.cache
    def _copier(cls):
        """What copies values of a class; None for one whose constructor does more than to set its slots."""
        names = tuple(one.name for one in dataclasses.fields(cls) if one.init)
        plain = cls.__mro__ == (cls, object) and not hasattr(cls, "__post_init__")
        if not plain or cls.__dict__.get("__slots__") != names:
            return None
        twin = type(f"{cls.__name__}Twin", (), {"__slots__": names})
        lines = [
            "def copy(value, changes):",
            "    new = twin()",
            *(f"    new.{name} = value.{name}" for name in names),
            "    for name, changed in changes.items():",
            "        if name not in names:",
            "            raise TypeError(f'{cls.__name__} has no field {name!r}')",
            "        setattr(new, name, changed)",
            "    new.__class__ = cls",
            "    return new",
        ]
        space = {"twin": twin, "cls": cls, "names": frozenset(names)}
        exec("\n".join(lines), space)  # noqa: S102 - names of fields only, as `dataclasses` does it
        return space["copy"]
