"""Templates pay for their work: whatever is written in one, it ends soon and its result stays small."""

from __future__ import annotations

import time

import pytest

from immy_nornir.text.templates import TemplateError, expand

VARIABLES: dict[str, object] = {
    "big": "x" * 900_000,
    "numbers": list(range(100_000)),
    "names": [f"pc{number:05}" for number in range(5000)],
    "evil": "a" * 50_000,
    "list0": ["x"] * 10,
    **{f"list{level}": [f"{{{{ list{level - 1} }}}}"] * 10 for level in range(1, 20)},
    "text0": "x" * 10,
    **{f"text{level}": f"{{{{ text{level - 1} }}}}" * 10 for level in range(1, 20)},
}
NS = "{% set ns = namespace(x=[1], y=[1], n=9) %}"
TOO_LONG = "the result is longer than 1,000,000 characters"
TOO_MUCH = "it is too much work for a template"
HEAVY = "heavier than|nested deeper|too much work"

CASES = {
    "an operator": ("{{ 'a' * 10**9 }}", TOO_LONG),
    "a list times a number": ("{{ [[0] * 1000] * 100000 }}", TOO_LONG),
    "bytes times a number": ("{{ 'a'.encode() * 10**9 }}", TOO_LONG),
    "a power": ("{{ 10 ** (10 ** 10) }}", "more than 4,000 digits"),
    "powers of powers": (NS + "{% for i in range(50) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "4,000 digits"),
    "a long number": ("{{ 1" + "0" * 5000 + " }}", "more than 4,000 digits"),
    "a filter": ("{{ 'a' | center(10**9) }}", TOO_LONG),
    "a filter by map": ("{{ ['a'] | map('center', 10**9) | list }}", TOO_LONG),
    "a filter block": ("{% filter center(10**9) %}a{% endfilter %}", TOO_LONG),
    "an indentation": ("{{ ('a\n' * 1000) | indent(10**6) }}", TOO_LONG),
    "a replacement": ("{{ big | replace('x', big) }}", TOO_LONG),
    "a replacement by regex": ("{{ big | regex_replace('x', big) }}", f"{TOO_LONG}|{TOO_MUCH}"),
    "a separator": ("{{ names | join(big) }}", f"{TOO_LONG}|{TOO_MUCH}"),
    "slices": ("{{ [] | slice(10**9) | list }}", TOO_LONG),
    "a batch": ("{{ ['a'] | batch(10**9, 0) | list }}", TOO_LONG),
    "wrapped words": ("{{ ('a ' * 10000) | wordwrap(1, wrapstring=big) }}", TOO_LONG),
    "a precision": ("{{ 2.5 | round(10**9, 'ceil') }}", "a precision"),
    "indented JSON": ("{{ [[1]] | tojson(indent=10**9) }}", "an indentation"),
    "tags": ("{{ ('<!-- -->' * 100000) | striptags }}", "at most 50,000"),
    "a sum of lists": ("{{ names | map('list') | sum(start=[]) | length }}", TOO_MUCH),
    "unique lists": ("{{ names | map('list') | unique | list }}", TOO_MUCH),
    "a method": ("{{ 'a'.ljust(10**9) }}", TOO_LONG),
    "a method by attr": ("{{ ('a' | attr('center'))(10**9) }}", TOO_LONG),
    "a method of bytes": ("{{ 'a'.encode().ljust(10**9) }}", TOO_LONG),
    "a method of a number": ("{{ (1).to_bytes(10**9, 'big') }}", TOO_LONG),
    "tabs": ("{{ ('\t' * 1000).expandtabs(10**9) }}", TOO_LONG),
    "a translation": ("{{ big.translate({120: big}) }}", TOO_LONG),
    "a joining method": ("{{ big.join(names) }}", TOO_LONG),
    "a format": ("{{ '%1000000000d' % 1 }}", TOO_LONG),
    "a format with a star": ("{{ '%*d' % (10**9, 1) }}", TOO_LONG),
    "a format, many times": ("{{ ('%(a)s' * 100000) % {'a': big} }}", TOO_LONG),
    "a format by filter": ("{{ ('%(a)s' * 100000) | format(a=big) }}", TOO_LONG),
    "a format method": ("{{ '{:1000000000}'.format(1) }}", TOO_LONG),
    "a format method, nested": ("{{ '{:{w}}'.format(1, w=10**9) }}", TOO_LONG),
    "a format method, many times": ("{{ ('{0:99999}' * 1000).format(1) }}", TOO_MUCH),
    "loops": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", TOO_MUCH),
    "loops that skip": (
        "{% for i in range(99999) %}{% for j in range(99999) if j < 0 %}{% endfor %}{% endfor %}",
        TOO_MUCH,
    ),
    "a loop that writes": ("{% for i in range(99999) %}{{ big }}{% endfor %}", TOO_LONG),
    "a loop over text": ("{% for i in range(99999) %}" + "z" * 5000 + "{% endfor %}", TOO_LONG),
    "a loop that sets": ("{% set x %}{% for i in range(99999) %}{{ big }}{% endfor %}{% endset %}", TOO_LONG),
    "a loop of slices": ("{% for i in range(99999) %}{% set y = numbers[1:] %}{% endfor %}", TOO_MUCH),
    "a loop of searches": ("{% for i in range(99999) %}{% if 'zz' in big %}{% endif %}{% endfor %}", TOO_MUCH),
    "a loop of comparisons": (
        "{% for i in range(99999) %}{% if numbers == numbers[:] %}{% endif %}{% endfor %}",
        TOO_MUCH,
    ),
    "lazy loops": ("{{ numbers | map('abs') | map('abs') | map('abs') | list | length }}", TOO_MUCH),
    "macros": ("{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(40) }}", TOO_MUCH),
    "macros without end": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deep"),
    "lists of lists": (NS + "{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}", HEAVY),
    "lists of lists, compared": (
        NS + "{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
        "{{ ns.x == ns.y }}",
        HEAVY,
    ),
    "maps of maps": (
        NS + "{% for i in range(60) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x | string }}",
        HEAVY,
    ),
    "joined texts": ("{{ " + " ~ ".join(["big"] * 1000) + " }}", TOO_MUCH),
    "variables of lists": ("{{ list19 }}", TOO_MUCH),
    "variables of texts": ("{{ text19 }}", TOO_LONG),
    "brackets": ("{{ " + "[" * 500 + "1" + "]" * 500 + " }}", "nested too deep"),
    "signs": ("{{ " + "-" * 5000 + "1 }}", "nested too deep"),
    "blocks": ("{% if 1 %}" * 500 + "{% endif %}" * 500, "nested too deep"),
    "a long expression": ("{{ 'a'" + " | upper" * 5000 + " }}", "more than 20,000"),
    "lookahead": ("{{ evil | regex_search('(?=a)') }}", "lookaround is not supported"),
    "lookahead in a block": ("{% if evil | regex_search('(?!a)') %}{% endif %}", "lookaround is not supported"),
    "a backreference": ("{{ evil | regex_replace('(a)\\\\1', '') }}", "backreferences are not supported"),
    "a regex that is made": ("{{ evil | regex_search('(?' ~ '=a)') }}", "lookaround is not supported"),
    "a regex over long text": ("{{ big | regex_search('(?:x?){300}y') }}", TOO_MUCH),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_too_much_is_an_error_and_soon(case: str) -> None:
    template, said = CASES[case]
    began = time.process_time()
    with pytest.raises(TemplateError, match=said):
        expand(template, VARIABLES)
    assert time.process_time() - began < 2  # about 100 ms, and a loaded machine


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ evil | regex_search('(a+)+$b') }}", None),
        ("{{ names | map('upper') | select('in', ['PC00007']) | list }}", ["PC00007"]),
        ("{{ names | unique | length }}", 5000),
        ("{{ names | join(',') | length }}", 39_999),
        ("{% for name in names[:500] %}{{ name }}{% endfor %}", "".join(f"pc{number:05}" for number in range(500))),
        ("{{ '%05d %s' % (7, 'x') }}{{ '{:>4}'.format('y') }}", "00007 x   y"),
        ("{{ [1, 2, 3] | sum }}{{ [[1], [2]] | sum(start=[]) | length }}", "62"),
        ("{{ 2 ** 64 }}", 2**64),
        ("{{ big | length }}", 900_000),
        ("{{ 'x y' | regex_replace('(?P<a>\\\\w) (\\\\w)', '\\\\g<a>-\\\\2') }}", "x-y"),
        ("{{ 'end' | regex_search('d\\\\Z') }}", "d"),
    ],
)
def test_ordinary_work_is_done(template: str, expected: object) -> None:
    assert expand(template, VARIABLES) == expected
