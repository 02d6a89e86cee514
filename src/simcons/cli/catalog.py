"""`simcons models ...` and `simcons datasets ...`: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.catalog import dataset_spec, dataset_specs, model_spec, model_specs
from simcons.cli.output import print_table

models_app = typer.Typer(help="The models of the catalogue.", no_args_is_help=True)
datasets_app = typer.Typer(help="The data sets of the catalogue.", no_args_is_help=True)


@models_app.command("list")
def list_models() -> None:
    """List every model with its categories."""
    print_table(
        ["model", "source", "objective", "architecture", "train data", "size", "parameters", "dim"],
        [
            (
                m.id,
                m.source,
                m.objective,
                m.architecture_class,
                m.train_data_class,
                m.size_class,
                m.params,
                m.feature_dim,
            )
            for m in model_specs().values()
        ],
    )


@models_app.command("show")
def show_model(model: Annotated[str, typer.Argument(help="Id of a model.")]) -> None:
    """Show everything that the catalogue knows of a model."""
    _print_spec(model_spec(model).model_dump(mode="json"))


@datasets_app.command("list")
def list_datasets() -> None:
    """List every data set with its domain."""
    print_table(
        ["data set", "name", "domain", "source", "licence"],
        [(d.id, d.name, d.domain, d.source, d.license) for d in dataset_specs().values()],
    )


@datasets_app.command("show")
def show_dataset(dataset: Annotated[str, typer.Argument(help="Id of a data set.")]) -> None:
    """Show everything that the catalogue knows of a data set."""
    _print_spec(dataset_spec(dataset).model_dump(mode="json"))


def _print_spec(values: dict[str, object]) -> None:
    for key, value in values.items():
        if value not in (None, "", {}):
            typer.echo(f"{key}: {value}")
