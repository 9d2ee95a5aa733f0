"""Covering secrets in a record: what a command printed by mistake must not stay for years.

Only the record is touched; whoever called sees every byte.  A secret is covered
with as many asterisks as it has bytes, so lengths, order and timing stay true and
the record reads like the original.  Rules are few and precise: they match what
can hardly be anything else, because a record full of asterisks proves nothing.
Patterns are RE2: linear time, whatever a command prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import re2

# Group 1, where there is one, is the secret; else all of the match.  Forms are those
# that the issuers document, or that their own secret scanners look for.
RULES: Final[Mapping[str, bytes]] = {
    "private-key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----([^-]{40,})-----END",
    "age-key": rb"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "aws-access-key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    # As settings have it, and as `aws iam create-access-key` and `aws sts` print it.
    "aws-secret-key": rb"(?i)(?:aws.{0,20}secret.{0,20}|\bsecret_?access_?key)[\"']?"
    rb"\s{0,3}[=:]\s{0,3}[\"']?([0-9a-z/+]{40})(?:[^0-9a-z/+]|$)",
    "aws-session-token": rb"(?i)\b(?:aws_)?session_?token[\"']?\s{0,3}[=:]\s{0,3}[\"']?"
    rb"([0-9a-z/+=]{100,})",
    "github-token": rb"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,})",
    "gitlab-token": rb"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[0-9A-Za-z_\-]{20,}",
    "slack-token": rb"\bxox[abeoprs]-[0-9A-Za-z\-]{10,}",
    "google-api-key": rb"\bAIza[0-9A-Za-z_\-]{35}",
    "google-oauth": rb"\b(?:ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{28})",
    "stripe-key": rb"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,}",
    "ai-key": rb"\bsk-(?:ant-|proj-|svcacct-)?[0-9A-Za-z_\-]{32,}",
    "package-token": rb"\b(?:npm_[0-9A-Za-z]{36}|pypi-AgE[0-9A-Za-z_\-]{50,})",
    "vault-token": rb"\bhv[sbr]\.[0-9A-Za-z_\-]{20,}",
    "jwt": rb"\beyJ[0-9A-Za-z_\-]{10,}\.eyJ[0-9A-Za-z_\-]{10,}\.[0-9A-Za-z_\-]{10,}",
    "bearer": rb"(?i)\bauthorization:\s*(?:bearer|basic|token)\s+([0-9a-z._~+/\-]{8,}=*)",
    "url-password": rb"\b[a-z][a-z0-9+.\-]{1,20}://[^\s:/@\"']{0,64}:([^\s@/\"']{3,})@",
    "assignment": rb"(?i)\b[0-9a-z_\-]{0,40}"
    rb"(?:passw(?:or)?d|passphrase|secret(?:_?key)?|api_?key|account_?key"
    rb"|(?:access|auth|refresh)_?token)"
    rb"[\"']?\s{0,3}[=:]\s{0,3}[\"']?([^\s\"'$<>{},;*]{8,})",
}


def _compiled(pattern: bytes) -> re2._Regexp[bytes]:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, not characters
    options.log_errors = False
    options.max_mem = 64 << 20
    return re2.compile(pattern, options)


_PATTERNS: Final = {name: _compiled(pattern) for name, pattern in RULES.items()}
# Nearly all output has no secret in it: one pass says so.
_ANY: Final = _compiled(b"|".join(b"(?:%s)" % pattern for pattern in RULES.values()))


def find(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (rule, start, end) of each secret in *data*, rule by rule."""
    if _ANY.search(data) is None:
        return
    for name, pattern in _PATTERNS.items():
        for found in pattern.finditer(data):
            start, end = found.span(1 if pattern.groups else 0)
            # `password: required` is prose; what people set as one has a digit in it.
            if name != "assignment" or any(48 <= byte <= 57 for byte in data[start:end]):
                yield name, start, end


def redact(data: bytes) -> tuple[bytes, dict[str, int]]:
    """Return *data* with every secret covered, same length, and how many of each rule.

    >>> redact(b"password=hunter2hunter2 ok")
    (b'password=************** ok', {'assignment': 1})
    """
    covered: bytearray | None = None
    count: Counter[str] = Counter()
    for name, start, end in find(data):
        if covered is None:
            covered = bytearray(data)
        if covered[start:end].strip(b"*"):  # not covered by an earlier rule already
            count[name] += 1
            covered[start:end] = b"*" * (end - start)
    return (data, {}) if covered is None else (bytes(covered), dict(count))
