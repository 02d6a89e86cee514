"""The command line: one module per group of commands, each thin over the library."""

from __future__ import annotations

from simcons.study import stage


def main() -> None:
    """Run `simcons`; the console script."""
    from simcons.cli.app import app

    stage.run(app)
