"""The JSON Schema for editors and the loader agree on what a rule file is."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gatesh.policy import reading, starter, yamltext

from .test_packs import ONE, REFUSED

RULES = Path(__file__).parents[2] / "rules"
SCHEMA = json.loads((RULES / "gatesh.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# What YAML or RE2 refuse before or after the schema's business.
BEYOND = {
    "a lookahead", "a lookbehind", "a backreference", "a possessive quantifier",
    "an unknown group", "an unpaired brace", "a key given twice", "an anchor", "a tag of YAML",
    "nesting without end", "a second document", "an endless duration",
}  # fmt: skip


def plain(node: yamltext.Node | None) -> object:
    """The values of a file with `on:` as text: to PyYAML (YAML 1.1) that key is `True`."""
    if isinstance(node, yamltext.Table):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, yamltext.Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, yamltext.Scalar)
    return node.text if node.type == "str" else yaml.safe_load(node.text)


def values(text: str) -> object:
    return plain(yamltext.parse(text))


def test_the_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_packs_follow_it(path):
    assert [e.message for e in VALIDATOR.iter_errors(values(path.read_text()))] == []
    assert path.read_text().startswith("# yaml-language-server: $schema=gatesh.schema.json\n")


def test_so_does_the_starter():
    assert list(VALIDATOR.iter_errors(values(starter.TEXT))) == []
    assert f"$schema={SCHEMA['$id']}" in starter.TEXT


@pytest.mark.parametrize("name", sorted(set(REFUSED) - BEYOND))
def test_an_editor_shows_what_the_loader_refuses(name):
    line, _ = REFUSED[name]

    assert not VALIDATOR.is_valid(values(ONE.format(line)))


WORDS = st.sampled_from(["x", "", "a b", "approve", "deny", "15m", "1", "a\nb", "\x1b", "{cwd}"])
SCALARS = WORDS | st.integers(-2, 120) | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["any", "need", "within", "id", "reason", "user", "env", "match", "miss"]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)
KEYS = st.sampled_from([*SCHEMA["definitions"]["rule"]["properties"], "other"])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=2))
def test_the_loader_and_the_schema_agree_on_any_rule(change):
    """
    A key the editor underlines and gatesh accepts, or the other way round, costs
    an author an afternoon.
    """
    document = values(ONE.format(""))
    document["rules"][0].update(change)
    text = json.dumps(document)  # JSON is YAML, and says exactly which type is meant

    read = reading.read(text, file="t.yaml")

    assert (read.complaints == ()) == VALIDATOR.is_valid(document), read.complaints
