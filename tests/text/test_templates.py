"""Late templates: native values, strictness, secrets, and errors that say what to try."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from immy_nornir.model.values import SecretRef, Value
from immy_nornir.text.templates import TemplateError, expand
from tests.waiting import all_end

SECRET = SecretRef("env:PASSWORD")
VARIABLES: dict[str, object] = {
    "port": 5985,
    "alias": "{{ port }}",
    "second": "{{ alias }}",
    "domain": "corp.example",
    "missing_inside": "{{ nowhere }}",
    "password": SECRET,
    "password_alias": "{{ password }}",
    "settings": {"ports": ["{{ port + 1 }}", 22], "items": "own key", "password": SECRET},
    "one": "{{ two }}",
    "two": "x{{ one }}",
    "off": "no",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{ not a template }", "{ not a template }"),
        ("{{ port }}", 5985),
        ("{{ second }}", 5985),
        ("{{second}}", 5985),
        (" {{ port }}", " 5985"),
        ("{{ port }}{{ port }}", "59855985"),
        ("a\r\n{{ port }}\r\n", "a\r\n5985\r\n"),
        ("{# note #}x", "x"),
        ("{% if port > 1 %}yes{% else %}no{% endif %}", "yes"),
        ("{% for one in settings.ports %}[{{ one }}]{% endfor %}", "[5986][22]"),
        ("{% raw %}{{ port }}{% endraw %}", "{{ port }}"),
        ("{{ settings }}", {"ports": [5986, 22], "items": "own key", "password": SECRET}),
        ("{{ settings.items }}", "own key"),
        ("{{ missing_inside | default('d') }}", "d"),
        ("{{ nowhere.deep | default('d') if false else 1 }}", 1),
        ("{{ nowhere is defined }}", False),
        ("{{ 'x' | upper }}", "X"),
        ("{{ 'X' | lower }}", "x"),
        ("{{ domain | replace('.', '-') }}", "corp-example"),
        ("{{ '42' | int }}", 42),
        ("{{ off | bool }}", False),
        ("{{ 'Yes' | bool }}", True),
        ("{{ port | string }}", "5985"),
        ("{{ settings.ports | join(',') }}", "5986,22"),
        (r"{{ domain | regex_replace('^(\\w+)\\.(.*)$', '\\2/\\1') }}", "example/corp"),
        ("{{ settings.ports | first }}", 5986),
        ("{{ settings.ports | last }}", 22),
        ("{{ [1, 1, 2] | unique }}", [1, 2]),
        ("{{ 'ü' | b64encode }}", "w7w="),
        ("{{ none }}", None),
        ("{{ {'a': port} }}", {"a": 5985}),
    ],
)
def test_expanded(text: str, expected: Value) -> None:
    got = expand(text, VARIABLES)
    assert got == expected
    assert type(got) is type(expected)


def test_lists_and_maps_are_expanded_whole_and_the_rest_stays() -> None:
    value: Value = {"a": ["{{ port }}", {"b": "{{ alias }}/"}], "c": 1.5, "{{ key }}": None, "s": SECRET}
    assert expand(value, VARIABLES) == {"a": [5985, {"b": "5985/"}], "c": 1.5, "{{ key }}": None, "s": SECRET}


@pytest.mark.parametrize(
    "text", ["{{ password }}", "{{ password_alias }}", "{{ settings.password }}", "{{ nowhere | default(password) }}"]
)
def test_a_secret_passes_untouched(text: str) -> None:
    assert expand(text, VARIABLES) is SECRET


@pytest.mark.parametrize(
    "text",
    [
        "user:{{ password }}",
        "{{ 'user:' ~ password }}",
        "{{ 'user:' + password }}",
        "{{ password | upper }}",
        "{{ password | b64encode }}",
        "{{ password | int }}",
        "{{ password == 'guess' }}",
        "{{ [password] | join(',') }}",
        "{{ settings | string }}",
        "{{ '%s' % password }}",
        "{{ '{}'.format(password) }}",
        "{% if true %}{{ password }}{% endif %}",
        "x{{ password_alias }}",
    ],
)
def test_a_secret_is_never_part_of_text(text: str) -> None:
    with pytest.raises(TemplateError, match="secret"):
        expand(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ prot }}", r"in '\{\{ prot \}\}': 'prot' is undefined \(did you mean 'port'\?\)"),
        ("x {{ alias }} {{ domian }}", r"in '\{\{ domian \}\}'.*did you mean 'domain'"),
        ("{{ settings.prts }}", "did you mean 'ports'"),
        ("{{ missing_inside }}", r"in '\{\{ nowhere \}\}': 'nowhere' is undefined"),
        ("{{ [nowhere] }}", "'nowhere' is undefined"),
        ("{{ one }}", "in a circle: one -> two -> one"),
        ("{{ port | uper }}", "did you mean 'upper'"),
        ("{{ port is defned }}", "did you mean 'defined'"),
        ("{{ port + }}", "at column 7"),
        ("{{ port", "not closed"),
        ("{% if port %}", "not readable"),
        ("{{ lookup('env', 'HOME') }}", "secret: env:NAME"),
        ("{{ query('file', 'x') }}", "not supported"),
        ("{{ port.__class__ }}", "unsafe"),
        ("{{ ''.join.__globals__ }}", "no attribute"),
        ("{% include 'x' %}", "in '"),
        ("{{ 'a' * 99999999999 }}", "the result is longer than 1,000,000 characters"),
        ("{{ 9 ** 9999999 }}", "a number has more than 4,000 digits"),
        ("{{ 1 / 0 }}", "something is divided by zero"),
        ("{{ port + 'x' }}", "unsupported operand"),
        ("{{ port | regex_replace('(', '') }}", "not a regular expression that can be used"),
        ("{{ settings.ports.append }}", "in '"),
    ],
)
def test_errors_say_the_expression_and_what_to_try(text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        expand(text, VARIABLES)


def test_the_undefined_name_is_given() -> None:
    with pytest.raises(TemplateError) as caught:
        expand("{{ missing_inside }}", VARIABLES)
    assert caught.value.name == "nowhere"


def test_errors_do_not_quote_values() -> None:
    with pytest.raises(TemplateError) as caught:
        expand("{{ token | b64decode }}", {"token": "hunter2-plain!"})
    assert "hunter2" not in str(caught.value)


def test_too_many_variables_behind_one_another_are_an_error() -> None:
    chain = {f"v{number}": f"{{{{ v{number + 1} }}}}" for number in range(200)}
    with pytest.raises(TemplateError, match="lead to one another"):
        expand("{{ v0 }}", chain)


def test_many_threads_expand_at_the_same_time() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(200):
            got = expand(["{{ a }}", "x{{ b }}"], {"a": "{{ n }}", "b": "{{ n + 1 }}", "n": number})
            if cast("list[Value]", got) != [number, f"x{number + 1}"]:
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    all_end(threads)
    assert wrong == []
