"""Which controls a report can be evidence for, and what of each it does not show.

Two kinds.  A control that rules name in their tags (`soc2:CC8.1`) gets the
commands those rules matched.  A control that the way of working itself answers to
gets the numbers that show it.  Every one says what remains to be asked of somebody:
a report that claims more than the log shows is worth less than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gatesh.evidence.story import Command


@dataclass(frozen=True, slots=True)
class Control:
    """One control: what the log shows of it, and what it does not."""

    title: str
    shows: str
    not_shown: str


_FAMILIES: Final = {"soc2": "SOC 2", "iso27001": "ISO 27001:2022", "nist": "NIST 800-53"}
_HELD: Final = "commands that a rule holds for approval, who asked, who approved, and when"
_OTHER_WAYS: Final = "changes made in any other way than through gatesh"

CONTROLS: Final[Mapping[str, Control]] = {
    "soc2:CC6.1": Control(
        "SOC 2 CC6.1 · Logical access security", _HELD, "how access is restricted outside gatesh"
    ),
    "soc2:CC6.2": Control(
        "SOC 2 CC6.2 · Registering and authorising users",
        "commands that add or remove accounts and rights, each with its approval",
        "whether every account has such a command; compare with the list of accounts",
    ),
    "soc2:CC6.3": Control(
        "SOC 2 CC6.3 · Roles, least privilege, segregation of duties",
        "who asked and who approved each, by the roster of that day; exceptions stand above",
        "whether the people on the roster hold the right roles",
    ),
    "soc2:CC6.6": Control(
        "SOC 2 CC6.6 · Threats from outside the boundary", _HELD, "network controls themselves"
    ),
    "soc2:CC6.7": Control(
        "SOC 2 CC6.7 · Transmission and removal of information", _HELD, "what the data contained"
    ),
    "soc2:CC6.8": Control(
        "SOC 2 CC6.8 · Unauthorised or malicious software", _HELD, "what the software does"
    ),
    "soc2:CC7.2": Control(
        "SOC 2 CC7.2 · Monitoring for anomalies",
        "every command line that reached gatesh, with verdict and rules, denied ones included",
        "whether somebody looks at them; nor commands that did not go through gatesh",
    ),
    "soc2:CC7.3": Control(
        "SOC 2 CC7.3 · Evaluating security events",
        "denied commands, refused answers and very fast approvals, for evaluation",
        "the evaluation itself",
    ),
    "soc2:CC7.4": Control(
        "SOC 2 CC7.4 · Responding to incidents",
        "what was run during an incident, by whom, and what it printed",
        "that an incident was handled as planned",
    ),
    "soc2:CC8.1": Control(
        "SOC 2 CC8.1 · Change management",
        "changes that rules hold, who authorised each before it was made, and its output",
        _OTHER_WAYS,
    ),
    "soc2:A1.2": Control("SOC 2 A1.2 · Availability", _HELD, "recovery and capacity"),
    "iso27001:A.5.3": Control(
        "ISO 27001:2022 A.5.3 · Segregation of duties",
        "who asked and who approved each; approvals of one's own stand above, if there are any",
        "conflicts between roles outside gatesh",
    ),
    "iso27001:A.5.15": Control(
        "ISO 27001:2022 A.5.15 · Access control", _HELD, "the access policy itself"
    ),
    "iso27001:A.5.18": Control(
        "ISO 27001:2022 A.5.18 · Access rights",
        "commands that changed rights, each with its approval",
        "reviews of the rights that exist",
    ),
    "iso27001:A.8.2": Control(
        "ISO 27001:2022 A.8.2 · Privileged access rights",
        "each use of privilege that rules know, with its approval",
        "who holds privileged rights at rest",
    ),
    "iso27001:A.8.15": Control(
        "ISO 27001:2022 A.8.15 · Logging",
        "that the entries of the period are complete under a signed head",
        "logs of other systems",
    ),
    "iso27001:A.8.16": Control(
        "ISO 27001:2022 A.8.16 · Monitoring activities",
        "denied commands and refused answers of the period",
        "that they were followed up",
    ),
    "iso27001:A.8.18": Control(
        "ISO 27001:2022 A.8.18 · Privileged utility programs",
        "each use of such a program that rules know",
        "uses outside gatesh",
    ),
    "iso27001:A.8.32": Control(
        "ISO 27001:2022 A.8.32 · Change management",
        "changes that rules hold, and who authorised each before it was made",
        _OTHER_WAYS,
    ),
    "nist:AC-3(2)": Control(
        "NIST 800-53 AC-3(2) · Dual authorisation",
        "how many people a rule asks for, and who had signed before each started",
        "privileged functions that no rule holds",
    ),
    "nist:AC-5": Control(
        "NIST 800-53 AC-5 · Separation of duties",
        "requester and approvers of each, by the roster of that day; exceptions stand above",
        "whether two names on the roster are one human",
    ),
    "nist:AU-2": Control(
        "NIST 800-53 AU-2 · Event logging",
        "which events are logged: every command line",
        _OTHER_WAYS,
    ),
    "nist:AU-3": Control(
        "NIST 800-53 AU-3 · Content of audit records",
        "what, when, where, who and the outcome of each command",
        "events inside a program after it was started",
    ),
    "nist:AU-9": Control(
        "NIST 800-53 AU-9 · Protection of audit information",
        "up to which entry people and witnesses have signed, and what an audit found above",
        "entries after that head, which only the machine itself protects",
    ),
    "nist:AU-10": Control(
        "NIST 800-53 AU-10 · Non-repudiation",
        "the signature of each approval, and the key enrolled for that person on that day",
        "who held the key at that moment",
    ),
    "nist:AU-12": Control(
        "NIST 800-53 AU-12 · Audit record generation",
        "records made for each command before it started and after it ended",
        "commands that did not go through gatesh",
    ),
}  # fmt: skip

# Others that shipped rules name: the commands they hold are evidence, and of no more.
TITLES: Final[Mapping[str, str]] = {
    "iso27001:A.5.16": "Identity management",
    "iso27001:A.8.7": "Protection against malware",
    "iso27001:A.8.10": "Information deletion",
    "iso27001:A.8.12": "Data leakage prevention",
    "iso27001:A.8.13": "Information backup",
    "iso27001:A.8.19": "Installation of software",
    "iso27001:A.8.24": "Use of cryptography",
    "nist:AC-2": "Account management",
    "nist:AC-3": "Access enforcement",
    "nist:AC-4": "Information flow enforcement",
    "nist:AC-6": "Least privilege",
    "nist:AC-17": "Remote access",
    "nist:AU-8": "Time stamps",
    "nist:CM-3": "Configuration change control",
    "nist:CM-5": "Access restrictions for change",
    "nist:CM-7": "Least functionality",
    "nist:CM-11": "User-installed software",
    "nist:CP-9": "System backup",
    "nist:IA-3": "Device identification and authentication",
    "nist:IA-5": "Authenticator management",
    "nist:MP-6": "Media sanitization",
    "nist:SC-7": "Boundary protection",
    "nist:SI-3": "Malicious code protection",
    "nist:SI-7": "Software, firmware and information integrity",
    "nist:SR-3": "Supply chain controls and processes",
}

# Shown by how gatesh works, whatever the rules say.
ALWAYS: Final = (
    "soc2:CC7.2", "soc2:CC7.3", "iso27001:A.8.15", "iso27001:A.8.16",
    "nist:AU-2", "nist:AU-3", "nist:AU-9", "nist:AU-12",
)  # fmt: skip
APPROVED: Final = (
    "soc2:CC6.3", "iso27001:A.5.3", "iso27001:A.8.2", "nist:AC-3(2)", "nist:AC-5", "nist:AU-10",
)  # fmt: skip


def control(tag: str) -> Control:
    """Return what is known of *tag*; a tag of a site's own rules is named as it stands."""
    found = CONTROLS.get(tag)
    if found is None:
        kind, _, number = tag.partition(":")
        title = f"{_FAMILIES.get(kind, kind)} {number}"
        if tag in TITLES:
            title += f" · {TITLES[tag]}"
        found = Control(title, _HELD, _OTHER_WAYS)
    return found


def in_order(tags: Iterable[str]) -> list[str]:
    """Return *tags*, each once, as their catalogues have them.

    >>> in_order(["nist:AC-17", "soc2:CC8.1", "nist:AC-2", "soc2:CC8.1"])
    ['soc2:CC8.1', 'nist:AC-2', 'nist:AC-17']
    """

    def place(tag: str) -> tuple[int, list[tuple[int, str]], str]:
        kind, _, number = tag.partition(":")
        parts = re.findall(r"\d+|\D+", number)
        steps = [(int(part), "") if part.isdecimal() else (0, part) for part in parts]
        families = list(_FAMILIES)
        return families.index(kind) if kind in families else len(families), steps, tag

    return sorted(set(tags), key=place)


def by_control(commands: Iterable[Command]) -> dict[str, list[Command]]:
    """Return the commands under each control that their rules name, in the order of controls."""
    found: dict[str, list[Command]] = {}
    for command in commands:
        for tag in command.tags:
            if tag.partition(":")[0] in _FAMILIES:
                found.setdefault(tag, []).append(command)
    return {tag: found[tag] for tag in in_order(found)}
