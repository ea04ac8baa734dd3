"""Editing a person's YAML changes what it means and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aml_jupyter.config.reading import OwnNames
from aml_jupyter.config.yaml_files import dump, edit, parse

TEXT = """\
# top
script: train.py  # the script
# arguments of it
arguments:
- --alpha
- '0.1'   # rate

# how many
nodeCount: 1
environment:
  python:
    userManagedDependencies: false  # system
    # where
    interpreterPath: python

  # variables
  environmentVariables:
    A: b
    # hint
    C: d

# last
priority:
# end
"""
BEFORE: dict[str, Any] = {
    "script": "train.py",
    "arguments": ["--alpha", "0.1"],
    "nodeCount": 1,
    "environment": {
        "python": {"userManagedDependencies": False, "interpreterPath": "python"},
        "environmentVariables": OwnNames({"A": "b", "C": "d"}),
    },
    "priority": None,
}


def _lines(after: dict[str, Any]) -> tuple[list[str], list[str]]:
    old, new = TEXT.splitlines(), edit(TEXT, "f", BEFORE, after).splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_an_equal_meaning_is_the_same_text() -> None:
    assert edit(TEXT, "f", BEFORE, dict(BEFORE)) == TEXT


def test_a_value_is_replaced_where_it_stands() -> None:
    assert _lines({**BEFORE, "nodeCount": 2}) == (["nodeCount: 1"], ["nodeCount: 2"])
    assert _lines({**BEFORE, "priority": 3}) == (["priority:"], ["priority: 3"])


def test_a_list_grows_above_the_comment_that_follows_it() -> None:
    text = edit(TEXT, "f", BEFORE, {**BEFORE, "arguments": ["--alpha", "0.1", "--beta"]})
    assert "- '0.1'   # rate\n- --beta\n\n# how many\n" in text


def test_a_list_shrinks_and_keeps_the_comment_that_follows_it() -> None:
    assert "- --alpha\n\n# how many\n" in edit(TEXT, "f", BEFORE, {**BEFORE, "arguments": ["--alpha"]})
    assert "arguments: []\n\n# how many\n" in edit(TEXT, "f", BEFORE, {**BEFORE, "arguments": []})


def test_a_new_key_stands_above_the_comment_of_the_next_section() -> None:
    python = {**BEFORE["environment"]["python"], "baseCondaEnvironment": "base"}
    text = edit(TEXT, "f", BEFORE, {**BEFORE, "environment": {**BEFORE["environment"], "python": python}})
    assert "    interpreterPath: python\n    baseCondaEnvironment: base\n\n  # variables\n" in text
    assert edit(TEXT, "f", BEFORE, {**BEFORE, "command": "make"}).endswith("priority:\ncommand: make\n# end\n")


def test_a_removed_key_leaves_the_comments_of_its_neighbours() -> None:
    def without(name: str) -> str:
        kept = OwnNames({key: value for key, value in {"A": "b", "C": "d"}.items() if key != name})
        return edit(
            TEXT, "f", BEFORE, {**BEFORE, "environment": {**BEFORE["environment"], "environmentVariables": kept}}
        )

    assert without("C").count("#") == TEXT.count("#")
    assert "    A: b\n    # hint\n\n# last\n" in without("C")
    assert "    # hint\n    C: d\n" in without("A")


def test_the_spelling_of_keys_stays_and_own_names_match_exactly() -> None:
    text = "NodeCount: 1\nenvironment_variables:\n  my_name: a\n"
    before = {"nodeCount": 1, "environmentVariables": OwnNames({"my_name": "a"})}
    after = {"nodeCount": 2, "environmentVariables": OwnNames({"myName": "a"})}
    assert edit(text, "f", before, after) == "NodeCount: 2\nenvironment_variables:\n  myName: a\n"


@pytest.mark.parametrize(
    "text",
    [
        "a:\n    b: 1\n    c:\n        - x\nd: 1\n",
        "a:\n  c:\n  - x\nd: 1\n",
        "---\na: {b: 1, c: [x, y]}\nd: 1\n",
        "a: \"quoted\"\nb: 'single'\nc: |\n  block\n  text\nd: 1\n",
        f"a: {'long ' * 60}end\nd: 1\n",
    ],
)
def test_indentation_quotes_and_long_lines_stay(text: str) -> None:
    before = parse(text, "f")
    assert edit(text, "f", {"d": 1}, {"d": 2}) == text.replace("d: 1\n", "d: 2\n")
    assert before["d"] == 1


_value = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab #:-'\"\n", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrst"), inner, max_size=3).map(OwnNames)
    ),
    max_leaves=8,
)
_document = st.dictionaries(st.sampled_from(["alpha", "beta", "gamma", "delta"]), _value, min_size=1).map(OwnNames)


def _commented(text: str) -> str:
    lines = []
    for number, line in enumerate(text.splitlines()):
        if line[:1].isalpha() and number and not any(mark in text for mark in ("'", '"', "|", ">")):
            lines.append(f"# comment {number}")
        lines.append(line)
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


@given(_document, _document)
@settings(max_examples=80, deadline=None)
def test_any_document_becomes_any_other(before: OwnNames, after: OwnNames) -> None:
    text = _commented(dump(before))
    assert _plain(parse(edit(text, "f", before, after), "f")) == _plain(after)


def test_a_written_null_stays_written() -> None:
    text = "a: null\nb: ~  # none\nc:\nd: 1\n"
    before = {"a": None, "b": None, "c": None, "d": 1}
    assert edit(text, "f", before, {**before, "d": 2}) == text.replace("d: 1", "d: 2")
    nested = "a: null\nb:\n  c: 1\n  a:\n    c: 1\n"
    inner = {"a": None, "b": {"c": 1, "a": {"c": 1}}}
    assert edit(nested, "f", inner, {"a": None, "b": {"c": 2, "a": {"c": 1}}}) == nested.replace(
        "  c: 1\n  a", "  c: 2\n  a"
    )
