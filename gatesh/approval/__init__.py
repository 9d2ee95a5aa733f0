"""Who says so?  Requests, decisions, the roster and what they add up to.

Everything here is pure but `rosterfile`: no clock, no files, so the audit can run
the same checks years later.  The bytes are specified in `docs/spec/formats.md` §1-3.
"""
