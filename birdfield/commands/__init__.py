"""Command line: one module a command group; the only place that prints, exits or uses Typer."""
