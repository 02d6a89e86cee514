"""The `simcons` command and its groups."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.cli import (
    add_dataset,
    analysis,
    catalog,
    check_model,
    execute,
    export,
    imports,
    place,
    remote,
    run,
    store,
    study,
)

app = typer.Typer(
    name="simcons",
    help="Is the similarity of two vision models consistent across data sets?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(study.app, name="study")
app.add_typer(store.app, name="store")
app.add_typer(catalog.models_app, name="models")
catalog.models_app.command("check")(check_model.check_model)
app.add_typer(catalog.datasets_app, name="datasets")
catalog.datasets_app.command("add")(add_dataset.add)
app.command("status")(study.status)
app.command("push")(remote.push)
app.command("pull")(remote.pull)
app.command("run")(run.run)
app.command("similarity")(analysis.similarity)
app.command("layers")(analysis.layers)
app.command("probe")(analysis.probe)
app.command("consistency")(analysis.consistency)
app.command("import-results")(imports.import_results)
app.command("export")(export.export)
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
