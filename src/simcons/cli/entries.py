"""`simcons models ...` and `simcons datasets ...`: the entries of the catalogue, and one's own."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcons.catalog import ModelSpec, dataset_spec, dataset_specs, model_spec, model_specs
from simcons.cli.output import print_table
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.models.checking import ModelCheck

models_app = typer.Typer(help="The models of the catalogue.", no_args_is_help=True)
datasets_app = typer.Typer(help="The data sets of the catalogue.", no_args_is_help=True)


@models_app.command("list")
def list_models() -> None:
    """List every model with its categories."""
    columns = ["model", "source", "objective", "architecture", "train data", "size"]
    facts = attrgetter(
        *("id", "source", "objective", "architecture_class", "train_data_class", "size_class"),
        *("params", "feature_dim"),
    )
    print_table([*columns, "parameters", "dim"], map(facts, model_specs().values()))


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


@models_app.command("check")
def check_model(
    model: Annotated[str, typer.Argument(help="Id of a model.")],
    offline: Annotated[
        bool, typer.Option(help="With random weights: nothing is downloaded.")
    ] = False,
    shapes: Annotated[
        bool, typer.Option(help="Shapes alone: no weights, no memory, no timing.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 8,
    device: Annotated[str, typer.Option(help="Where it runs, such as cuda.")] = "cpu",
) -> None:
    """Load a model, show its layers, parameters and speed, and compare with the catalogue.

    Examples: simcons models check resnet50; simcons models check OpenCLIP_RN50_openai --offline
    """
    spec = model_spec(model)
    from simcons.models import checking

    result = checking.check_model(
        spec, random_weights=offline, shapes_only=shapes, batch_size=batch_size, device=device
    )
    rows = [
        (name, kind, " x ".join(map(str, shape)) + _mark(spec, name))
        for name, kind, shape in result.layers
    ]
    print_table(["layer", "kind", "output shape"], rows)
    _print_facts(spec, result, "random" if offline or shapes else "loaded")
    wrong = [p for p in result.problems if p.startswith("the representation")]
    if wrong:
        raise UserError(f"model '{model}': {wrong[0]}")
    for problem in result.problems:
        typer.echo(f"note: {problem}")


def _mark(spec: ModelSpec, layer: str) -> str:
    if layer != spec.layer:
        return ""
    return f"  <- the representation{f' ({spec.token})' if spec.token else ''}"


def _print_facts(spec: ModelSpec, result: ModelCheck, weights: str) -> None:
    rate, whole = result.images_per_second, result.whole_parameters
    facts = {
        "weights": weights if weights == "random" else _weights(spec),
        "input": " x ".join(map(str, result.input_shape)),
        "representation": " x ".join(map(str, result.output_shape)),
        "dimension in the catalogue": f"{spec.feature_dim:,}",
        "parameters": f"{result.parameters:,}",
        **({} if whole is None else {"parameters with head or text tower": f"{whole:,}"}),
        "parameters in the catalogue": "not given" if spec.params is None else f"{spec.params:,}",
        "images per second": "not timed" if rate is None else f"{rate:,.1f}",
    }
    typer.echo("")
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")


def _weights(spec: ModelSpec) -> str:
    """Return where the weights came from; of a file also its SHA-256, to pin it."""
    from simcons.models.weights import cached_sha256, locate

    if spec.weights.kind in ("file", "package", "url"):
        path = locate(spec)
        return f"{path}, SHA-256 {cached_sha256(path)}"
    return " ".join(filter(None, [spec.weights.kind, spec.weights.tag, spec.weights.revision]))


@datasets_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Its id: letters a to z, digits and _.")],
    source: Annotated[str, typer.Option(help="image_folder, csv, shards, python, hub or derived.")],
    path: Annotated[Path | None, typer.Option(help="The folder, or the CSV file.")] = None,
    function: Annotated[
        str | None, typer.Option(help="package.module:function, called with split and options.")
    ] = None,
    repository: Annotated[str | None, typer.Option(help="On the hub: OWNER/NAME.")] = None,
    parent: Annotated[str | None, typer.Option(help="Whose images a derived set has.")] = None,
    rule: Annotated[str | None, typer.Option(help="How: per_class.")] = None,
    variant_of: Annotated[
        str | None, typer.Option(help="Whose probes score it; it has a test split only.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Its name in figures; default: NAME.")] = None,
    domain: Annotated[str, typer.Option(help="The kind of images; figures sort by it.")] = "Own",
    license: Annotated[str | None, typer.Option(help="The licence of the images.")] = None,
    external: Annotated[
        bool, typer.Option(help="Keep its images out of DVC's cache and remotes.")
    ] = False,
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for the source; may be repeated.")
    ] = None,
) -> None:
    """Add a data set of your own to own/datasets.yaml.

    Example: simcons datasets add birds --source image_folder --path /data/birds
    """
    from simcons.core.paths import Paths
    from simcons.datasets.adding import add_dataset

    given: dict[str, Any] = {
        "name": title or name,
        "domain": domain,
        "source": source,
        "path": None if path is None else str(path.expanduser().resolve()),
        "function": function,
        "repository": repository,
        "parent": parent,
        "rule": rule,
        "variant_of": variant_of,
        "license": license,
        "external": external or None,
        "options": dict(map(_option, option or [])) or None,
    }
    found = add_dataset(name, {key: value for key, value in given.items() if value is not None})
    for what, amount in found.items():
        typer.echo(f"{what}: {amount}")
    roles = f"{name} to similarity_datasets and probe_datasets"
    if variant_of is not None:
        roles = f"`{name}: {variant_of}` to variants"
    typer.echo(
        f"wrote {Paths().own_datasets}; add `{name}: {{}}` to datasets in params.yaml, and {roles}"
    )


def _option(text: str) -> tuple[str, Any]:
    from ruamel.yaml import YAML

    key, found, value = text.partition("=")
    if not found or not key:
        raise UserError(f"--option {text!r}: expected KEY=VALUE, such as test_fraction=0.2")
    return key, YAML(typ="safe").load(value)
