"""Plans: what is done, in which order, with how many reboots, and why everything else is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from immy_nornir.decide.maintenance_types import BUILT_IN_TYPES
from immy_nornir.decide.plan.make_plan import to_detect
from immy_nornir.decide.resolve.primary_user import PrimaryUser
from immy_nornir.model.facts import Finding, FindingStatus
from immy_nornir.model.items import (
    Context,
    FileVersion,
    Item,
    ItemKind,
    Method,
    OrderClass,
    OrderPlace,
    RebootNeed,
    Scripts,
    UpgradeStrategy,
)
from immy_nornir.model.plan import Held, Plan, Reason, Request
from immy_nornir.model.playbooks import ActionType, MaintenanceType, Options, Reboot, Stage, UserContext
from tests.decide.builders import (
    FULL,
    compliant,
    configuration_of,
    desire,
    found,
    identity,
    missing,
    plan,
    prerequisite_of,
    release,
    script,
    software,
    task,
    unknown,
)

A, R, H = ActionType, Reason, Held
AUTO = Options(reboot=Reboot.AUTOMATIC)
RESOLUTION, DETECTION, INVENTORY = (BUILT_IN_TYPES[name] for name in ("resolution", "detection", "inventory"))


def shape(made: Plan) -> dict[str, tuple[ActionType, Held | None]]:
    return {one.id: (one.type, one.held) for one in made.actions}


def names(made: Plan) -> list[str]:
    return [one.id for one in made.actions]


def wanted_by(item: str, wants: str = "installed", *by: str, ask: Callable[[str], Request] = prerequisite_of) -> Any:
    """A desire without a deployment of its own."""
    needs = tuple(ask(one) for one in by)
    more: dict[str, Any] = {"deployment": "", "requested_by": needs}
    return desire(item, wants, **more)


# --- types x kinds of action ---------------------------------------------------------------------------------------

KINDS: dict[str, tuple[Item, Any, Finding, ActionType]] = {
    "install": (software("s"), desire("software/s"), missing("software/s"), A.INSTALL),
    "update": (software("s", "2.0"), desire("software/s"), found("software/s"), A.UPDATE),
    "downgrade": (software("s", "1.0"), desire("software/s", "1.0"), found("software/s", "2.0"), A.DOWNGRADE),
    "uninstall": (software("s"), desire("software/s", "absent"), found("software/s"), A.UNINSTALL),
    "repair": (
        software("s", repair=Method(script=script())),
        desire("software/s"),
        found("software/s", sound=False),
        A.REPAIR,
    ),
    "reinstall": (software("s"), desire("software/s"), found("software/s", sound=False), A.REINSTALL),
    "enforce": (task("t"), desire("task/t"), compliant("task/t", yes=False), A.ENFORCE),
    "audit": (task("t"), desire("task/t", "audit"), compliant("task/t", yes=False), A.AUDIT),
    "monitor": (task("t"), desire("task/t", "monitor"), Finding("task/t", "", FindingStatus.VALUE), A.MONITOR),
    "none": (software("s"), desire("software/s"), found("software/s"), A.NONE),
}
OWN = MaintenanceType(
    "removal", tuple(Stage), frozenset({ItemKind.SOFTWARE}), frozenset({A.UNINSTALL}), "removes what should not be"
)
DOES = {
    "full": {*KINDS},
    "resolution": {"install", "update", "none"},
    "detection": {"audit", "monitor", "none"},
    "removal": {"uninstall", "none"},
}


@pytest.mark.parametrize("kind", [FULL, RESOLUTION, DETECTION, OWN], ids=lambda one: str(one.name))
@pytest.mark.parametrize("name", KINDS)
def test_types_do_their_kinds_of_action_and_leave_the_rest(kind: MaintenanceType, name: str) -> None:
    item, one, finding, expected = KINDS[name]
    looked_at = to_detect(kind, (one,))
    (action,) = plan([item], [one], [finding] if looked_at else [], kind=kind).actions
    does = name in DOES[kind.name]
    if looked_at:
        assert action.type is expected
    else:
        assert action.type is A.UNDETERMINED
    assert (action.held is None) is does
    if not does:
        assert action.held is H.NOT_THIS_TYPE
        assert action.held_why
    assert action.to_do is (does and name not in ("audit", "monitor", "none"))
    assert action.why


def test_inventory_looks_at_nothing() -> None:
    assert to_detect(INVENTORY, (desire("software/s"), desire("task/t"))) == ()


def test_every_action_has_a_reason() -> None:
    items: list[Item] = [one[0] for one in KINDS.values()]
    for item, one, finding, _ in KINDS.values():
        for action in plan(items, [one], [finding]).actions:
            assert action.why, item


@pytest.mark.parametrize("wants", ["ignored", "absent", "update_if_found", "latest"])
def test_what_needs_nothing_done_is_in_the_plan_with_its_reason(wants: str) -> None:
    finding = found("software/s") if wants == "latest" else missing("software/s")
    (action,) = plan([software("s")], [desire("software/s", wants)], [finding]).actions
    assert action.type is A.NONE
    assert action.why


def test_ignored_items_are_not_even_looked_at() -> None:
    ignored = (desire("software/s", "ignored"), desire("task/t", "ignored"))
    assert to_detect(FULL, ignored) == ()
    made = plan([software("s"), task("t")], ignored, [])
    assert {one.reason for one in made.actions} == {R.IGNORED}


# --- items that cannot be decided -------------------------------------------------------------------------------------


def test_a_tie_fails_its_item_alone() -> None:
    both = [desire("software/a", error="x.yml:1 and x.yml:2 both want it"), desire("software/b")]
    made = plan([software("a"), software("b")], both, [missing("software/b")])
    tied, other = made.find("software/a"), made.find("software/b")
    assert (tied.reason, tied.to_do) == (R.CONFLICT, False)
    assert "x.yml:1" in tied.held_why
    assert other.to_do


def test_requirements_that_are_not_met_are_not_a_failure() -> None:
    (action,) = plan([software("a")], [desire("software/a", not_applicable="needs x64")], []).actions
    assert (action.type, action.reason, action.held, action.why) == (A.NONE, R.NOT_APPLICABLE, None, "needs x64")


def test_a_failed_detection_leaves_its_item_unknown_and_holds_what_builds_on_it() -> None:
    items: list[Item] = [software("a"), software("b", depends_on=("software/a",)), software("c")]
    desires = [desire("software/a"), desire("software/b"), desire("software/c")]
    made = plan(items, desires, [unknown("software/a"), missing("software/b"), missing("software/c")])
    unknown_one = made.find("software/a")
    assert (unknown_one.reason, unknown_one.held, unknown_one.to_do) == (R.DETECTION_FAILED, H.UNKNOWN, False)
    assert made.find("software/b").held is H.DEPENDENCY
    assert made.find("software/c").to_do


def test_holding_goes_down_the_whole_chain() -> None:
    items: list[Item] = [
        software("a"),
        *(software(one, depends_on=(f"software/{before}",)) for before, one in ("ab", "bc", "cd")),
    ]
    desires = [desire(one.reference) for one in items]
    made = plan(items, desires, [unknown("software/a"), *(missing(f"software/{one}") for one in "bcd")])
    assert [made.find(f"software/{one}").held for one in "bcd"] == [H.DEPENDENCY] * 3


# --- prerequisites ------------------------------------------------------------------------------------------------

APP = software("app", needs=["software/runtime"])
RUNTIME = software("runtime", needs=["task/tls"])
TLS = task("tls")
CHAIN: list[Item] = [APP, RUNTIME, TLS]


def chain(*findings: Finding, app: str = "installed", kind: MaintenanceType = FULL) -> Plan:
    desires = [
        desire("software/app", app),
        wanted_by("software/runtime", "installed", "software/app"),
        wanted_by("task/tls", "enforce", "software/runtime"),
    ]
    return plan(CHAIN, desires, findings, kind=kind)


RUNTIME_MISSING, APP_MISSING = missing("software/runtime"), missing("software/app")
TLS_WRONG = compliant("task/tls", yes=False)


@pytest.mark.parametrize("kind", [FULL, RESOLUTION], ids=lambda one: str(one.name))
def test_prerequisites_come_recursively_and_first_whatever_their_kind(kind: MaintenanceType) -> None:
    made = chain(APP_MISSING, RUNTIME_MISSING, TLS_WRONG, kind=kind)
    assert names(made) == ["task/tls", "software/runtime", "software/app"]
    assert all(one.to_do for one in made.actions)


def test_prerequisites_are_looked_at_in_resolution_whatever_their_kind() -> None:
    desires = (desire("software/app"), wanted_by("task/tls", "enforce", "software/app"), desire("task/other"))
    assert [one.id for one in to_detect(RESOLUTION, desires)] == ["software/app", "task/tls"]


@pytest.mark.parametrize(
    "findings",
    [
        (found("software/app"), RUNTIME_MISSING, TLS_WRONG),
        (found("software/app"), found("software/runtime", sound=False), TLS_WRONG),
        (found("software/app"), unknown("software/runtime"), unknown("task/tls")),
    ],
    ids=["missing", "broken", "not detected"],
)
def test_a_prerequisite_of_what_needs_nothing_is_not_needed(findings: Sequence[Finding]) -> None:
    made = chain(*findings)
    assert [one.type for one in made.actions] == [A.NONE] * 3
    assert made.find("software/runtime").reason is R.NOT_NEEDED


def test_a_prerequisite_that_is_there_ends_the_chain() -> None:
    made = chain(APP_MISSING, found("software/runtime"), TLS_WRONG)
    assert made.find("software/app").to_do
    assert made.find("task/tls").reason is R.NOT_NEEDED


def test_detection_shows_what_the_prerequisites_would_be() -> None:
    made = chain(APP_MISSING, RUNTIME_MISSING, TLS_WRONG, kind=DETECTION)
    assert shape(made) == {
        "task/tls": (A.ENFORCE, H.NOT_THIS_TYPE),
        "software/runtime": (A.INSTALL, H.NOT_THIS_TYPE),
        "software/app": (A.INSTALL, H.NOT_THIS_TYPE),
    }


def test_what_a_held_requester_needs_is_not_needed() -> None:
    items: list[Item] = [software("app", needs=["software/a", "software/b"]), software("a"), software("b", releases=())]
    desires = [
        desire("software/app"),
        wanted_by("software/a", "installed", "software/app"),
        wanted_by("software/b", "installed", "software/app"),
    ]
    made = plan(items, desires, [missing(one.reference) for one in items])
    assert made.find("software/app").held is H.DEPENDENCY
    assert "no version of B" in made.find("software/app").held_why
    assert made.find("software/a").reason is R.NOT_NEEDED


UNMET: list[tuple[str, str, str, Finding, str]] = [
    ("wanted absent by its own deployment", "installed", "absent", RUNTIME_MISSING, "wants absent"),
    ("being removed by its own deployment", "installed", "absent", found("software/runtime"), "wants absent"),
    ("ignored and missing", "installed", "ignored", RUNTIME_MISSING, "wants ignored"),
    ("held at an older version", ">=2.0", "1.0", found("software/runtime", "1.0"), "it will be 1.0"),
    ("brought at an older version", ">=2.0", "1.0", RUNTIME_MISSING, "it will be 1.0"),
    ("there and has to be absent", "absent", "installed", found("software/runtime"), "to be absent"),
]
MET: list[tuple[str, str, str, Finding, ActionType]] = [
    ("ignored and there", "installed", "ignored", found("software/runtime"), A.NONE),
    ("update_if_found and missing: brought all the same", "installed", "update_if_found", RUNTIME_MISSING, A.INSTALL),
    ("a deployment that brings it", "installed", "latest", RUNTIME_MISSING, A.INSTALL),
    ("new enough", ">=2.0", "installed", found("software/runtime", "2.1"), A.NONE),
    ("updated far enough", ">=2.0", "latest", found("software/runtime", "1.0"), A.UPDATE),
    ("absent, as it has to be", "absent", "ignored", RUNTIME_MISSING, A.NONE),
    ("removed, as it has to be", "absent", "absent", found("software/runtime"), A.UNINSTALL),
]


def needing(needs: str, own: str, finding: Finding) -> Plan:
    items: list[Item] = [software("app", needs=[f"software/runtime {needs}"]), software("runtime", "1.0", "2.0")]
    runtime = desire("software/runtime", own, requested_by=(prerequisite_of("software/app"),))
    return plan(items, [desire("software/app"), runtime], [APP_MISSING, finding])


@pytest.mark.parametrize(("needs", "own", "finding", "why"), [row[1:] for row in UNMET], ids=[row[0] for row in UNMET])
def test_a_prerequisite_against_its_own_deployment_holds_the_requester(
    needs: str, own: str, finding: Finding, why: str
) -> None:
    app = needing(needs, own, finding).find("software/app")
    assert app.held is H.DEPENDENCY
    assert "software/runtime" in app.held_why
    assert why in app.held_why


@pytest.mark.parametrize(("needs", "own", "finding", "kind"), [row[1:] for row in MET], ids=[row[0] for row in MET])
def test_a_prerequisite_with_a_deployment_that_suits_it(
    needs: str, own: str, finding: Finding, kind: ActionType
) -> None:
    made = needing(needs, own, finding)
    assert made.find("software/app").to_do
    assert made.find("software/runtime").type is kind


@pytest.mark.parametrize("mode", ["ignored", "audit"])
@pytest.mark.parametrize("yes", [True, False], ids=["compliant", "not compliant"])
def test_a_task_that_nobody_enforces_holds_what_needs_it(mode: str, yes: bool) -> None:
    items: list[Item] = [software("app", needs=["task/tls"]), TLS]
    tls = desire("task/tls", mode, requested_by=(prerequisite_of("software/app"),))
    assert tls in to_detect(FULL, (tls,))
    app = plan(items, [desire("software/app"), tls], [APP_MISSING, compliant("task/tls", yes)]).find("software/app")
    assert (app.held is None) is yes


def test_a_circle_of_dependencies_fails_those_in_it_alone_and_names_itself() -> None:
    items: list[Item] = [
        software("a", depends_on=("software/b",)),
        software("b", depends_on=("software/a",)),
        software("c", depends_on=("software/a",)),
        software("d"),
    ]
    made = plan(items, [desire(one.reference) for one in items], [missing(one.reference) for one in items])
    for name in ("software/a", "software/b"):
        assert made.find(name).reason is R.CONFLICT
        assert "circle" in made.find(name).held_why
        assert "software/a needs software/b" in made.find(name).held_why
    assert made.find("software/c").held is H.DEPENDENCY
    assert made.find("software/d").to_do


def test_a_circle_of_what_needs_nothing_is_no_problem() -> None:
    items: list[Item] = [software("a", depends_on=("software/b",)), software("b", depends_on=("software/a",))]
    made = plan(items, [desire(one.reference) for one in items], [found(one.reference) for one in items])
    assert [one.type for one in made.actions] == [A.NONE, A.NONE]


def test_depending_on_what_is_left_for_another_type_is_only_an_order() -> None:
    items: list[Item] = [software("a", depends_on=("task/t",)), task("t")]
    made = plan(items, [desire("software/a"), desire("task/t")], [missing("software/a")], kind=RESOLUTION)
    assert made.find("software/a").to_do


# --- configuration tasks -------------------------------------------------------------------------------------------

SET_UP = software("app", "2.0", configuration="task/settings")
SETTINGS = task("settings")
WRONG = compliant("task/settings", yes=False)
CONFIGURATION: list[tuple[str, str, Finding, Finding, tuple[ActionType, Reason]]] = [
    ("software absent", "update_if_found", APP_MISSING, WRONG, (A.NONE, R.NOT_NEEDED)),
    ("absent, and its test fails", "update_if_found", APP_MISSING, unknown("task/settings"), (A.NONE, R.NOT_NEEDED)),
    ("present and right", "installed", found("software/app"), compliant("task/settings"), (A.NONE, R.COMPLIANT)),
    ("present and wrong", "installed", found("software/app"), WRONG, (A.ENFORCE, R.NOT_COMPLIANT)),
    ("being installed", "latest", APP_MISSING, WRONG, (A.UNDETERMINED, R.WAITS_FOR_SOFTWARE)),
    ("being installed, and its test fails before", "latest", APP_MISSING, unknown("task/settings"),
     (A.UNDETERMINED, R.WAITS_FOR_SOFTWARE)),
    ("being updated", "latest", found("software/app"), compliant("task/settings"),
     (A.UNDETERMINED, R.WAITS_FOR_SOFTWARE)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wants", "app", "settings", "expected"), [row[1:] for row in CONFIGURATION], ids=[row[0] for row in CONFIGURATION]
)
def test_configuration_tasks(wants: str, app: Finding, settings: Finding, expected: tuple[ActionType, Reason]) -> None:
    settled = wanted_by("task/settings", "enforce", "software/app", ask=configuration_of)
    made = plan([SET_UP, SETTINGS], [desire("software/app", wants), settled], [app, settings])
    action = made.find("task/settings")
    assert (action.type, action.reason) == expected
    assert action.follows == "software/app"
    assert names(made) == ["software/app", "task/settings"]
    assert action.held is None


@pytest.mark.parametrize("settings", [compliant("task/settings"), WRONG, unknown("task/settings")])
def test_a_configuration_task_of_software_of_which_nothing_is_known_is_skipped(settings: Finding) -> None:
    settled = wanted_by("task/settings", "enforce", "software/app", ask=configuration_of)
    made = plan([SET_UP, SETTINGS], [desire("software/app"), settled], [unknown("software/app"), settings])
    assert made.find("software/app").held is H.UNKNOWN
    action = made.find("task/settings")
    assert (action.held, action.to_do) == (H.DEPENDENCY, False)
    assert "software/app" in action.held_why


def test_nothing_is_brought_for_what_is_not_known() -> None:
    items: list[Item] = [software("app", needs=["software/runtime"]), software("runtime")]
    runtime = wanted_by("software/runtime", "installed", "software/app")
    made = plan(items, [desire("software/app"), runtime], [unknown("software/app"), missing("software/runtime")])
    action = made.find("software/runtime")
    assert (action.type, action.reason, action.why) == (A.NONE, R.NOT_NEEDED, "nothing is done for software/app")


def test_what_needs_something_unknown_is_skipped() -> None:
    items: list[Item] = [software("app", needs=["software/runtime"]), software("runtime")]
    runtime = wanted_by("software/runtime", "installed", "software/app")
    made = plan(items, [desire("software/app"), runtime], [missing("software/app"), unknown("software/runtime")])
    assert made.find("software/app").held is H.DEPENDENCY


def test_an_undecided_item_is_unknown_whatever_was_found() -> None:
    what = desire("software/app", unknown="not known: facts.tpm")
    for finding in (found("software/app"), missing("software/app")):
        (action,) = plan([software("app")], [what], [finding]).actions
        assert (action.reason, action.held, action.held_why) == (R.UNDECIDED, H.UNKNOWN, "not known: facts.tpm")


def test_a_configuration_task_with_a_deployment_of_its_own_outlives_its_software() -> None:
    own = desire("task/settings", requested_by=())
    made = plan([SET_UP, SETTINGS], [desire("software/app", "absent"), own], [found("software/app"), WRONG])
    assert made.find("software/app").type is A.UNINSTALL
    assert made.find("task/settings").type is A.ENFORCE


def test_a_configuration_task_that_is_only_audited_stays_audited() -> None:
    own = desire("task/settings", "audit", requested_by=(configuration_of("software/app"),))
    made = plan([SET_UP, SETTINGS], [desire("software/app"), own], [APP_MISSING, WRONG])
    assert made.find("task/settings").type is A.AUDIT


def test_a_configuration_task_is_left_for_full_in_resolution() -> None:
    settled = wanted_by("task/settings", "enforce", "software/app", ask=configuration_of)
    made = plan([SET_UP, SETTINGS], [desire("software/app"), settled], [APP_MISSING], kind=RESOLUTION)
    assert made.find("software/app").to_do
    assert made.find("task/settings").held is H.NOT_THIS_TYPE


def test_the_configuration_of_what_cannot_be_installed_is_not_needed() -> None:
    app = software("app", releases=(), configuration="task/settings")
    settled = wanted_by("task/settings", "enforce", "software/app", ask=configuration_of)
    made = plan([app, SETTINGS], [desire("software/app"), settled], [APP_MISSING, WRONG])
    assert made.find("task/settings").reason is R.NOT_NEEDED


# --- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "users", "primary", "held"),
    [
        (UserContext.CURRENT_USER, ["ana"], "", None),
        (UserContext.CURRENT_USER, [], "", "nobody is logged on"),
        (UserContext.PRIMARY_USER, ["bo", "ana"], "ANA", None),
        (UserContext.PRIMARY_USER, ["bo"], "ana", "ana, who is not logged on"),
        (UserContext.PRIMARY_USER, ["bo"], "", "none is known"),
        (UserContext.SKIP, ["ana"], "ana", "user_context is skip"),
    ],
)
def test_user_context(option: UserContext, users: list[str], primary: str, held: str | None) -> None:
    items: list[Item] = [software("a", context=Context.USER), software("b")]
    made = plan(
        items,
        [desire(one.reference) for one in items],
        [missing(one.reference) for one in items],
        options=Options(user_context=option),
        identity=identity(users=users),
        primary_user=PrimaryUser(primary or None, "nobody was seen"),
    )
    action = made.find("software/a")
    assert action.to_do is (held is None)
    if held is not None:
        assert action.held is H.USER_CONTEXT
        assert held in action.held_why
    assert made.find("software/b").to_do


@pytest.mark.parametrize("need", RebootNeed)
def test_skip_holds_what_requires_a_reboot_before_it_is_attempted(need: RebootNeed) -> None:
    item = software("a", reboot=need)
    (action,) = plan([item], [desire("software/a")], [missing("software/a")]).actions
    requires = need in (RebootNeed.BEFORE, RebootNeed.AFTER)
    assert action.held is (H.REBOOT_SKIPPED if requires else None)
    (action,) = plan([item], [desire("software/a")], [missing("software/a")], options=AUTO).actions
    assert action.held is None


# --- order, phases, reboots --------------------------------------------------------------------------------------


def test_classes_places_priorities_and_names_make_the_order() -> None:
    items: list[Item] = [
        task("post", order_class=OrderClass.POST),
        task("conf"),
        software("zz"),
        software("aa"),
        software("low", order=OrderPlace.LAST),
        software("top", order=OrderPlace.FIRST),
        software("prio"),
        task("before", order_class=OrderClass.PREREQUISITE),
    ]
    desires = [desire(one.reference, priority=5 if one.name == "prio" else 0) for one in items]
    findings = [
        missing(one.reference) if one.reference.startswith("software") else compliant(one.reference, yes=False)
        for one in items
    ]
    assert [name.partition("/")[2] for name in names(plan(items, desires, findings))] == [
        "before", "top", "prio", "aa", "zz", "low", "conf", "post",
    ]  # fmt: skip


def test_fresh_items_come_first_in_their_class_and_are_marked() -> None:
    items: list[Item] = [software("a"), software("b"), task("t")]
    desires = [desire(one.reference) for one in items]
    findings = [missing("software/a"), missing("software/b"), compliant("task/t", yes=False)]
    made = plan(items, desires, findings, fresh=frozenset({"software/b", "task/t"}))
    assert names(made) == ["software/b", "software/a", "task/t"]
    assert [one.fresh for one in made.actions] == [True, False, True]


def test_what_always_runs_comes_last_and_is_hindered_by_nothing() -> None:
    items: list[Item] = [task("clean", always=True, depends_on=("software/a",)), software("a"), software("b")]
    made = plan(
        items,
        [desire(one.reference) for one in items],
        [compliant("task/clean", yes=False), unknown("software/a"), missing("software/b")],
    )
    assert names(made)[-1] == "task/clean"
    assert made.find("task/clean").to_do


REBOOTS: list[tuple[str, list[tuple[str, RebootNeed, tuple[str, ...]]], Options, tuple[str, ...], int, int]] = [
    ("nothing declared", [("a", RebootNeed.IF_NEEDED, ())], AUTO, (), 1, 0),
    ("after at the end", [("a", RebootNeed.AFTER, ())], AUTO, (), 1, 1),
    ("before", [("a", RebootNeed.BEFORE, ())], AUTO, (), 2, 1),
    ("after with a dependent", [("a", RebootNeed.AFTER, ()), ("b", RebootNeed.NEVER, ("a",))], AUTO, (), 2, 1),
    ("several share one", [("a", RebootNeed.AFTER, ()), ("b", RebootNeed.AFTER, ())], AUTO, (), 1, 1),
    ("pending is phase 0", [("a", RebootNeed.NEVER, ())], AUTO, ("cbs",), 2, 1),
    ("pending without work is none", [], AUTO, ("cbs",), 0, 0),
    ("pending under skip is none", [("a", RebootNeed.NEVER, ())], Options(), ("cbs",), 1, 0),
    ("force", [("a", RebootNeed.NEVER, ())], Options(reboot=Reboot.FORCE), (), 1, 1),
    ("force with nothing done", [], Options(reboot=Reboot.FORCE), (), 0, 1),
    ("force is served by what is owed anyway", [("a", RebootNeed.AFTER, ())], Options(reboot=Reboot.FORCE), (), 1, 1),
    ("force and phase 0", [("a", RebootNeed.NEVER, ())], Options(reboot=Reboot.FORCE), ("cbs",), 2, 2),
]


@pytest.mark.parametrize(
    ("given", "options", "pending", "phases", "reboots"), [row[1:] for row in REBOOTS], ids=[row[0] for row in REBOOTS]
)
def test_planned_reboots(
    given: list[tuple[str, RebootNeed, tuple[str, ...]]],
    options: Options,
    pending: tuple[str, ...],
    phases: int,
    reboots: int,
) -> None:
    items: list[Item] = [
        software(name, reboot=need, depends_on=tuple(f"software/{one}" for one in after)) for name, need, after in given
    ]
    made = plan(
        items,
        [desire(one.reference) for one in items],
        [missing(one.reference) for one in items],
        options=options,
        pending_reboots=pending,
    )
    assert (len(made.phases), made.reboots) == (phases, reboots)
    for number, phase in enumerate(made.phases):
        assert all(made.find(name).phase == number for name in phase)


@pytest.mark.parametrize("kind", [DETECTION, INVENTORY], ids=lambda one: str(one.name))
def test_types_that_do_nothing_plan_no_reboot(kind: MaintenanceType) -> None:
    made = plan([], [], [], kind=kind, options=Options(reboot=Reboot.FORCE), pending_reboots=("cbs",))
    assert made.reboots == 0


# --- ways of doing it ---------------------------------------------------------------------------------------------

UNINSTALL_ENTRY: Any = {"quiet_uninstall": "unins000.exe /S"}
NO_WAY: list[tuple[str, Any, str, Finding, str]] = [
    ("nothing to install with", software("s", releases=(), install=Method(script=script())), "latest",
     missing("software/s"), ""),
    ("a task without set", task("t", body=Scripts(test=script())), "enforce", compliant("task/t", yes=False), "'set'"),
    ("no command to remove it", software("s", uninstall=Method()), "absent", found("software/s"), "uninstall"),
    ("its own entry removes it", software("s", uninstall=Method()), "absent",
     found("software/s", value=UNINSTALL_ENTRY), ""),
    ("a file cannot be removed without a script", software("s", uninstall=Method(), detection=FileVersion("C:\\s")),
     "absent", found("software/s"), "uninstall"),
    ("a downgrade removes first", software("s", uninstall=Method()), "1.0", found("software/s", "2.0"), "uninstall"),
    ("so does uninstall_first", software("s", "2.0", uninstall=Method(), upgrade=UpgradeStrategy.UNINSTALL_FIRST),
     "latest", found("software/s"), "uninstall"),
    ("an upgrade script needs no file", software("s", releases=(), upgrade_script=script(), upgrade="script"),
     "latest", found("software/s", available=({"version": "2.0"},)), ""),
    ("an update without a file", software("s", releases=()), "latest",
     found("software/s", available=({"version": "2.0"},)), "no url"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "wants", "finding", "why"), [row[1:] for row in NO_WAY], ids=[row[0] for row in NO_WAY]
)
def test_what_has_no_way_of_being_done_is_held(item: Any, wants: str, finding: Finding, why: str) -> None:
    (action,) = plan([item], [desire(item.reference, wants)], [finding]).actions
    assert action.changing
    assert action.held is (H.NO_METHOD if why else None)
    assert why in action.held_why


def test_the_plan_pins_what_latest_meant() -> None:
    (action,) = plan([software("s", "1.0", "2.0")], [desire("software/s")], [missing("software/s")]).actions
    assert action.release is not None
    assert (action.version, action.release.sha256) == ("2.0", "0" * 64)


def test_the_architecture_of_the_computer_decides_for_prerequisites_too() -> None:
    runtime = software("runtime", releases=(release("1.0", architecture="arm64"), release("2.0", architecture="x64")))
    own = desire("software/runtime", "update_if_found", requested_by=(prerequisite_of("software/app"),))
    made = plan(
        [software("app", needs=["software/runtime"]), runtime],
        [desire("software/app"), own],
        [APP_MISSING, RUNTIME_MISSING],
        identity=identity(architecture="arm64"),
    )
    assert made.find("software/runtime").version == "1.0"


def test_instances_of_a_task_are_actions_of_their_own() -> None:
    desires = [desire("task/printer", instance="a"), desire("task/printer", instance="b")]
    findings = [compliant("task/printer", yes=False, instance="a"), compliant("task/printer", instance="b")]
    made = plan([task("printer")], desires, findings)
    assert {one.id: one.type for one in made.actions} == {"task/printer#a": A.ENFORCE, "task/printer#b": A.NONE}
