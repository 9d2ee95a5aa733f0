"""What the agent starts: ask the broker, run what it says, report the status.

Standard library only, and of it only the cheapest modules: every command an
agent runs pays for these imports.
"""
