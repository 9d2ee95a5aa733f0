"""How long a command may be held is guessed from the environment, with care."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatesh.syntax.agents import UNKNOWN, by_environment

KILLS_AFTER_S = {"cline-cli": 30, "opencode": 120, "qwen-code": 120, "goose": 300}


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        ("CODEX_CI=1", "codex"),
        ("CODEX_THREAD_ID=01a2", "codex"),
        ("CLAUDECODE=1", "claude-code"),
        ("OPENCODE=1", "opencode"),
        ("GEMINI_CLI=1", "gemini-cli"),
        ("QWEN_CODE=1", "qwen-code"),
        ("COPILOT_CLI=1", "copilot-cli"),
        ("CLINE_CONNECTOR_CLI_LAUNCH=x", "cline-cli"),
        ("PI_CODING_AGENT=true", "pi"),
        ("VSCODE_INJECTION=1", "vscode"),
        ("CRUSH=1", "crush"),
        ("GOOSE_MODEL=m", "goose"),
    ],
)
def test_each_client_is_known_by_its_mark(mark, name):
    """
    The variables that the clients were seen to set.
    """
    variable, _, value = mark.encode().partition(b"=")

    assert by_environment({variable: value, b"PATH": b"/bin"}).name == name


@pytest.mark.parametrize("name", KILLS_AFTER_S)
def test_a_command_answers_before_its_client_kills_it(name):
    """
    A killed command says nothing to the model; "pending" says what to do next.
    """
    marks = {
        "cline-cli": b"CLINE_CONNECTOR_CLI_LAUNCH",
        "opencode": b"OPENCODE",
        "qwen-code": b"QWEN_CODE",
        "goose": b"GOOSE_MODEL",
    }

    assert by_environment({marks[name]: b"1"}).hold_s <= KILLS_AFTER_S[name] - 10


def test_without_a_mark_the_wait_is_that_of_the_most_impatient():
    """
    mini-swe-agent kills after 30 s and says nothing about itself.
    """
    assert by_environment({b"PATH": b"/bin", b"CLAUDECODE": b"0"}) is None
    assert UNKNOWN.hold_s == 20


def test_claude_code_kills_when_it_may_not_use_the_background():
    """
    Told so, it sends SIGTERM after 120 s instead of letting the command go on.
    """
    env = {b"CLAUDECODE": b"1"}

    assert by_environment(env).hold_s is None
    assert by_environment({**env, b"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": b"1"}).hold_s == 100


def test_silence_is_counted_by_gemini_and_vscode_only():
    """
    Every line of a heartbeat costs the model attention.
    """
    for mark, beats in ((b"GEMINI_CLI", 60), (b"VSCODE_INJECTION", 60), (b"OPENCODE", None)):
        assert by_environment({mark: b"1"}).heartbeat_s == beats


marks = st.sampled_from([b"CODEX_CI", b"CLAUDECODE", b"OPENCODE", b"GEMINI_CLI", b"QWEN_CODE"])


@given(found=st.sets(marks, min_size=1), noise=st.dictionaries(st.binary(), st.binary()))
def test_of_nested_clients_the_most_impatient_counts(found, noise):
    """
    A client started by another inherits its mark; which one waits is not known.
    """
    limits = [by_environment({mark: b"1"}).hold_s for mark in found]
    least = min((limit for limit in limits if limit is not None), default=None)

    assert by_environment({**dict.fromkeys(found, b"1"), **noise}).hold_s == least
