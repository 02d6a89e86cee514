"""The command line: one module per group of commands, each thin over the library."""

from __future__ import annotations

import sys
from functools import partial

from simcons.study import stage


def main() -> None:
    """Run `simcons`; the console script."""
    if sys.argv[1:2] == ["exec"]:
        # Every stage begins with it: the other commands, which take a while to load, are left out.
        import typer

        from simcons.cli.execute import PASS_ON, command

        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(context_settings=PASS_ON)(command)
        stage.run(partial(alone, sys.argv[2:], prog_name="simcons exec"))
    else:
        from simcons.cli.app import app

        stage.run(app)
