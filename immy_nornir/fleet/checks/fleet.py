"""Fleet -> problems that no single file can show: names that lead nowhere, cycles, ties, parameters, plays.

The last arrow of loading; pure functions of values. `immy lint` shows the result, and a run refuses to begin with
errors in it. What one file says by itself was judged by its reader.
"""

from __future__ import annotations

import fnmatch
import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from immy_nornir.decide.resolve.patterns import ReadFile
from immy_nornir.decide.times import windows
from immy_nornir.errors import ImmyError
from immy_nornir.fleet.checks.holds import check_blackouts, check_holds
from immy_nornir.fleet.checks.limits import check_limits
from immy_nornir.fleet.checks.rules import Targets, check_rules, condition_problems, variables_of
from immy_nornir.fleet.checks.scripts import check_reading_scripts
from immy_nornir.fleet.checks.telling import check_channels
from immy_nornir.fleet.checks.tries import check_tries
from immy_nornir.fleet.checks.values import check_params, check_variables, check_vars
from immy_nornir.fleet.deployments import parse_state
from immy_nornir.model.deployments import StateKind, TaskMode
from immy_nornir.model.inventory import Inventory
from immy_nornir.model.items import DisplayName, Item, Library, Prerequisite, Scripts, Software, Task
from immy_nornir.model.places import Level, Place, Problem
from immy_nornir.model.playbooks import Fleet, Play, Playbook
from immy_nornir.model.values import Value
from immy_nornir.shapes.files import did_you_mean
from immy_nornir.text.plain import and_more

_SHORT = 4
"""A display name's glob with fewer fixed characters than this meets strangers."""


def check_fleet(
    fleet: Fleet, playbooks: Iterable[Playbook] = (), *, read_file: ReadFile | None = None
) -> list[Problem]:
    """Every problem of the whole fleet and of the given playbooks, in order of their places.

    `read_file` gives the lines of a file that a play's hosts name with `@`; without it such a pattern is an error.
    """
    targets = Targets(fleet.inventory)
    playbooks = tuple(playbooks)
    plays = [play for playbook in playbooks for play in playbook.plays]
    variables = variables_of(fleet.inventory, plays)
    problems = [
        *check_emptiness(fleet),
        *check_references(fleet),
        *check_cycles(fleet.library),
        *check_items(fleet.library, variables),
        *check_reading_scripts(fleet.library),
        *check_rules(fleet, targets, variables),
        *check_tries(fleet, targets, plays),
        *check_versions(fleet),
        *check_modes(fleet),
        *check_params(fleet),
        *check_variables(fleet.inventory),
        *check_hours(fleet.inventory),
        *check_blackouts(fleet, targets),
        *check_holds(fleet.inventory),
        *check_limits(fleet),
        *check_channels(fleet),
    ]
    reached = Targets(fleet.inventory, read_file)
    for playbook in playbooks:
        for play in playbook.plays:
            problems.extend(check_play(play, fleet, reached))
    return sorted(set(problems))


def check_emptiness(fleet: Fleet) -> list[Problem]:
    """A fleet that says nothing: no computers, or nothing that they should have."""
    problems: list[Problem] = []
    if not fleet.inventory.computers:
        advice = "name them in inventory/, as 'all: {hosts: {pc1: {ansible_host: 192.0.2.10}}}'"
        problems.append(Problem(Place("inventory"), Level.WARNING, "there are no computers", advice))
    if not fleet.deployments:
        what = "there are no deployments: no computer should have anything"
        advice = "write '- {item: software/NAME, target: all}' into a .yml file there"
        problems.append(Problem(Place("playbooks/deployments"), Level.WARNING, what, advice))
    return problems


# --- items --------------------------------------------------------------------------------------------------------


def check_references(fleet: Fleet) -> list[Problem]:
    """Items that deployments and other items name but that the library does not have."""
    known = fleet.library.items
    problems: list[Problem] = []
    for place, name in _named(fleet):
        if name not in known:
            advice = did_you_mean(name, known) or "the library has: " + (", ".join(sorted(known)[:8]) or "no items")
            problems.append(Problem(place, Level.ERROR, f"there is no {name} in the library", advice))
    return problems


def _named(fleet: Fleet) -> Iterator[tuple[Place, str]]:
    for deployment in fleet.deployments:
        yield deployment.place, deployment.item
    for item in _all(fleet.library):
        for need in item.prerequisites:
            yield need.place or item.place, need.item
        for name in item.depends_on:
            yield item.place, name
        if isinstance(item, Software) and item.configuration:
            yield item.place, item.configuration


def _all(library: Library) -> Iterator[Item]:
    for by_platform in library.items.values():
        yield from by_platform.values()


def check_cycles(library: Library) -> list[Problem]:
    """Circles of prerequisites, dependencies and configuration tasks; each one names itself."""
    before: dict[str, set[str]] = {}
    places: dict[tuple[str, str], Place] = {}
    for item in _all(library):
        places.setdefault((item.reference, ""), item.place)
        for need in item.prerequisites:
            if need.place is not None:
                places.setdefault((item.reference, need.item), need.place)
        needs = before.setdefault(item.reference, set())
        needs.update(item.depends_on, (need.item for need in item.prerequisites))
        if isinstance(item, Software) and item.configuration:
            before.setdefault(item.configuration, set()).add(item.reference)
    problems: list[Problem] = []
    while True:
        try:
            graphlib.TopologicalSorter(before).prepare()
        except graphlib.CycleError as error:
            circle: list[str] = list(reversed(error.args[1]))
            before[circle[0]].discard(circle[1])
            shown = " needs ".join(circle)
            message = f"what has to come first goes in a circle: {shown}"
            place = places.get((circle[0], circle[1])) or places.get((circle[0], "")) or Place(circle[0])
            problems.append(Problem(place, Level.ERROR, message, "remove one of these prerequisites or dependencies"))
        else:
            return problems


def check_items(library: Library, variables: Collection[str]) -> list[Problem]:
    """Loose display names, conditions that cannot be read, impossible prerequisites."""
    problems: list[Problem] = []
    for item in _all(library):
        problems.extend(condition_problems(item.requirements.where, item.place, library.inventory, variables))
        for need in item.prerequisites:
            problems.extend(_prerequisite(need, item, library))
        if isinstance(item, Software) and isinstance(item.detection, DisplayName):
            problems.extend(_loose(item.detection, item.place))
    return problems


def _loose(detection: DisplayName, place: Place) -> Iterator[Problem]:
    fixed = "".join(character for character in detection.pattern if character.isalnum())
    if len(fixed) < _SHORT and detection.publisher is None:
        message = f"the display name '{detection.pattern}' is so short that it will meet other programs"
        yield Problem(place, Level.WARNING, message, "write more of the name, or add 'publisher:'")


def _prerequisite(need: Prerequisite, item: Item, library: Library) -> Iterator[Problem]:
    place = need.place or item.place
    if need.item.startswith("software/"):
        if parse_state(need.state) is None:
            message = f"'{need.state}' is no state of software"
            yield Problem(place, Level.ERROR, message, 'installed, latest, absent or a version such as ">=1.2"')
        return
    if need.state != "enforce":
        yield Problem(
            place, Level.ERROR, f"'{need.state}' stands where a task's 'enforce' is wanted", "remove 'state:'"
        )
    task = library.find(need.item, item.platform)
    required = [name for name, each in task.parameters.items() if each.required] if task else []
    if required:
        message = f"{need.item} requires {', '.join(required)}, and as a prerequisite it gets no parameters"
        yield Problem(place, Level.WARNING, message, "give the parameters defaults, or deploy the task")


def check_versions(fleet: Fleet) -> list[Problem]:
    """Exact versions that are asked for but that the software's list does not hold."""
    problems: list[Problem] = []
    for deployment in fleet.deployments:
        if deployment.state is None or deployment.state.kind is not StateKind.EXACT:
            continue
        for item in fleet.library.items.get(deployment.item, {}).values():
            if not isinstance(item, Software) or not item.releases or item.package or item.versions_script:
                continue
            offered = [release.version for release in item.releases]
            if deployment.state.version not in offered:
                message = f"{deployment.item} has no version {deployment.state.version}"
                advice = did_you_mean(str(deployment.state.version), offered) or f"it has {', '.join(offered)}"
                problems.append(Problem(deployment.place, Level.WARNING, message, advice))
    return problems


def check_modes(fleet: Fleet) -> list[Problem]:
    """Modes that a task of scripts cannot do: it needs `get` to be monitored, `test` to be audited, both and `set`."""
    needs = {
        TaskMode.MONITOR: ("get",),
        TaskMode.AUDIT: ("test",),
        TaskMode.ENFORCE: ("test", "set"),
        TaskMode.IGNORED: (),
    }
    problems: list[Problem] = []
    for deployment in fleet.deployments:
        for item in fleet.library.items.get(deployment.item, {}).values():
            if deployment.mode is None or not isinstance(item, Task) or not isinstance(item.body, Scripts):
                continue
            gate = deployment.preflight and deployment.mode is TaskMode.ENFORCE
            wanted = ("test",) if gate else needs[deployment.mode]
            missing = [name for name in wanted if getattr(item.body, name) is None]
            if missing:
                listed = " and ".join(f"'{name}'" for name in missing)
                message = (
                    f"{deployment.item} cannot be in the mode {deployment.mode} on {item.platform}: it has no {listed}"
                )
                possible = [str(mode) for mode, all_ in needs.items() if all(getattr(item.body, one) for one in all_)]
                advice = f"add the script, or choose {' or '.join(possible)}"
                problems.append(Problem(deployment.place, Level.ERROR, message, advice))
    return problems


# --- plays and hours ----------------------------------------------------------------------------------------------


def check_play(play: Play, fleet: Fleet, targets: Targets) -> list[Problem]:
    """Unknown types, items that no glob meets, hosts that reach nobody, windows and hours that are none."""
    problems = [*targets.problem(play.hosts, play.place_of("hosts")), *check_vars(play.vars)]
    if play.maintenance not in fleet.types:
        advice = did_you_mean(play.maintenance, fleet.types) or f"known are: {', '.join(sorted(fleet.types))}"
        message = f"there is no maintenance type '{play.maintenance}'"
        problems.append(Problem(play.place_of("maintenance"), Level.ERROR, message, advice))
    for glob in play.items:
        if not _meets(glob, fleet.library.items):
            advice = did_you_mean(glob, fleet.library.items) or "items are called software/NAME and task/NAME"
            place = play.place_of(f"items {glob}", "items")
            problems.append(Problem(place, Level.WARNING, f"'{glob}' names no item of the library", advice))
    problems.extend(_hours_needed(play, fleet.inventory, targets))
    return problems


def _meets(glob: str, items: Mapping[str, object]) -> bool:
    return any(fnmatch.fnmatchcase(item, glob) or fnmatch.fnmatchcase(item.partition("/")[2], glob) for item in items)


def _hours_needed(play: Play, inventory: Inventory, targets: Targets) -> Iterator[Problem]:
    said = play.options.get("window")
    without = [
        name
        for name in sorted(targets.reached(play.hosts))
        if name in inventory.computers
        and "immy_business_hours" not in (variables := inventory.computers[name].variables)
        and (said.value if said else _own_window(variables)) == "after_hours"
    ]
    if without:
        place = said.place if said and said.place else play.place
        more = and_more(len(without) - 3)
        message = f"the window is after_hours, but there are no business hours for {', '.join(without[:3])}{more}"
        yield Problem(place, Level.ERROR, message, 'set immy_business_hours for them, such as "mon-fri 08:00-18:00"')


def _own_window(variables: Mapping[str, Value]) -> Value:
    options = variables.get("immy_options")
    return options.get("window") if isinstance(options, Mapping) else None


def check_hours(inventory: Inventory) -> list[Problem]:
    """Business hours and time zones that cannot be read."""
    seen: dict[tuple[str, Place], list[Problem]] = {}
    for computer in inventory.computers.values():
        for name in ("immy_business_hours", "immy_time_zone"):
            place = computer.origins.get(name)
            if place is not None and (name, place) not in seen:
                seen[name, place] = list(_hours_problem(name, computer.variables.get(name), place))
    return [problem for problems in seen.values() for problem in problems]


def _hours_problem(name: str, value: Value, place: Place) -> Iterator[Problem]:
    if isinstance(value, str) and "{{" in value:
        return
    try:
        if name == "immy_business_hours":
            windows.parse_business_hours(value)
        else:
            # Outside of every span the answer is no; what counts is that the zone is known.
            windows.in_business_hours(windows.parse_business_hours({}), str(value), 0.0)
    except ImmyError as error:
        yield Problem(place, Level.ERROR, f"{name}: {error.message}", error.advice)


def errors_of(problems: Sequence[Problem]) -> list[Problem]:
    """Only what stops a command."""
    return [problem for problem in problems if problem.level is Level.ERROR]
