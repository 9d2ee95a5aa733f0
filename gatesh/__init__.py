"""gatesh: the shell you give to an AI agent."""

__version__ = "0.1.0"
