"""What would run? Argv becomes an invocation, text becomes subjects.  Pure.

Reads bash the way bash does (`grammar`), follows it (`follow`), and asks
tree-sitter for a second opinion (`witness`).  Everything that cannot be known ends
in a FINDING subject, never in silence; `findings` lists the words.
"""

from __future__ import annotations

from gatesh.syntax.analysis import Context, analyse

__all__ = ["Context", "analyse"]
