"""`simcons datasets add`: a data set of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simcons.core.errors import UserError


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
