"""`simcons models check`: try one model before a study relies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simcons.catalog import ModelSpec, model_spec
from simcons.cli.output import print_table
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.models.checking import ModelCheck


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
        spec,
        random_weights=offline,
        shapes_only=shapes,
        batch_size=batch_size,
        device=device,
    )
    print_table(
        ["layer", "kind", "output shape"],
        [
            (name, kind, " x ".join(map(str, shape)) + _mark(spec, name))
            for name, kind, shape in result.layers
        ],
    )
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
    rate = result.images_per_second
    facts = {
        "weights": weights if weights == "random" else _weights(spec),
        "input": " x ".join(map(str, result.input_shape)),
        "representation": " x ".join(map(str, result.output_shape)),
        "dimension in the catalogue": f"{spec.feature_dim:,}",
        "parameters": f"{result.parameters:,}",
        "parameters with head or text tower": f"{result.whole_parameters or 0:,}",
        "parameters in the catalogue": "not given" if spec.params is None else f"{spec.params:,}",
        "images per second": "not timed" if rate is None else f"{rate:,.1f}",
    }
    if result.whole_parameters is None:
        del facts["parameters with head or text tower"]
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
