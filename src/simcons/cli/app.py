"""The `simcons` command and its groups."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.cli import analyses, entries, execute, place, running, sharing, study

app = typer.Typer(
    name="simcons",
    help="Is the similarity of two vision models consistent across data sets?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(study.app, name="study")
app.add_typer(running.store, name="store")
app.add_typer(entries.models_app, name="models")
app.add_typer(entries.datasets_app, name="datasets")
app.command("status")(study.status)
app.command("push")(sharing.push)
app.command("pull")(sharing.pull)
app.command("run")(running.run)
app.command("similarity")(analyses.similarity)
app.command("layers")(analyses.layers)
app.command("probe")(analyses.probe)
app.command("consistency")(analyses.consistency)
app.command("import-results")(sharing.import_results)
app.command("export")(sharing.export)
app.command("place")(place.place)
app.command("exec", context_settings=execute.PASS_ON)(execute.command)


def version(show: bool) -> None:
    """Print the version and leave."""
    if show:
        import simcons

        typer.echo(simcons.__version__)
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Group the commands."""
