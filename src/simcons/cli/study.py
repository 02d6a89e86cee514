"""`simcons study ...` and `simcons status`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import click
import typer

from simcons.catalog import CATEGORIES, dataset_splits
from simcons.cli.output import print_table
from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.study.params import Study, load_study

app = typer.Typer(help="Choose, show and check the study.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the ready-made studies; the active one is marked."""
    from simcons.study.active import active_study, study_names

    paths = Paths()
    active = active_study(paths)
    for name in study_names(paths):
        typer.echo(f"{'*' if name == active else ' '} {name}")
    if active is None and paths.params.is_file():
        typer.echo("* params.yaml (changed by hand)")


@app.command()
def use(name: Annotated[str, typer.Argument(help="Name of a study under studies/.")]) -> None:
    """Make a ready-made study the active one (copies it to params.yaml)."""
    from simcons.study.active import use_study

    for path in use_study(name, Paths()):
        typer.echo(f"moved {path} to .simcons/leftovers")
    typer.echo(f"params.yaml is now studies/{name}.yaml; `dvc repro` runs it")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="The study's file.")] = Path("params.yaml"),
) -> None:
    """Validate params.yaml and print the study with its counts."""
    study = load_study(path)
    n_models, n_measured, probe = len(study.model_specs()), len(study.measured()), study.probe
    typer.echo(
        f"study {study.study}: {len(study.names())} data sets, {n_models} models, "
        f"{n_models * (n_models - 1) // 2} model pairs, "
        f"{n_measured * (n_measured - 1) // 2} data set pairs\n"
        f"measures: {', '.join(study.similarity.measures)}\n"
        f"probes: {len(probe.seeds)} seeds, {probe.epochs} epochs, "
        f"{len(probe.learning_rates)} learning rates x {probe.weight_decays.count} weight decays"
    )
    datasets = study.dataset_specs().items()
    print_table(
        ["data set", "domain", "source", "similarity", "probes"],
        [(name, spec.domain, *_origins(study, name, spec.source)) for name, spec in datasets],
    )
    columns = ("id", *CATEGORIES, "feature_dim")
    print_table(
        ["model", "objective", "architecture", "train data", "size", "dim"],
        [[getattr(spec, column) for column in columns] for spec in study.model_specs().values()],
    )


def _origins(study: Study, name: str, source: str) -> tuple[str, str, str]:
    """Return where a data set, its similarities and its probes come from."""

    def origin(own: list[str], published: list[str]) -> str:
        return "computed" if name in own else "imported" if name in published else "-"

    return (
        source if name in study.datasets else "-",
        origin(study.similarity_datasets, study.imported.similarity),
        origin(study.probe_datasets, study.imported.probes),
    )


@app.command()
def cost(
    name: Annotated[str, typer.Argument(help="Name of a study under studies/.")],
    rate: Annotated[
        list[str] | None, typer.Option(help="Measured rate, MODEL=IMAGES_PER_SECOND; repeatable.")
    ] = None,
    tflops: Annotated[
        float, typer.Option(help="Achieved 10^12 operations per second, if nothing is measured.")
    ] = 10.0,
) -> None:
    """Estimate images, forward passes, GPU hours and gigabytes of a study before it is run.

    Example: simcons study cost paper --rate resnet50=900 (`simcons models check` measures)
    """
    from simcons.study.active import study_path
    from simcons.study.cost import study_cost

    paths = Paths()
    study = load_study(study_path(name, paths))
    found = study_cost(study, paths, rates=_rates(rate or []), tflops=tflops)
    sizes = ("gigabytes", "features_gb", "probes_gb")
    print_table(
        ["data set", "train", "test", "shards GB", "features GB", "probes GB"],
        [
            (d.name, _count(d.train), _count(d.test), *(_gb(getattr(d, size)) for size in sizes))
            for d in found.datasets
        ],
    )
    images = sum(d.images for d in found.datasets)
    shards, features, probes = (sum(getattr(d, size) for d in found.datasets) for size in sizes)
    typer.echo(f"{images:,} images x {len(study.model_specs())} models = {found.passes:,} passes")
    for parent, size in found.parents_gb.items():
        typer.echo(f"derived data sets need the shards of {parent} too: {_gb(size)} GB")
    slowest = ", ".join(f"{model} {100 * share:.0f} %" for model, share in found.slowest)
    typer.echo(
        f"extraction: {found.extraction_hours:,.1f} GPU hours ({slowest})\n"
        f"probes: {found.probe_hours:,.1f} GPU hours\n"
        f"data sets {_gb(shards + sum(found.parents_gb.values()))} GB, features {_gb(features)} GB "
        f"in {study.features.storage}, probes {_gb(probes)} GB, similarities "
        f"{_gb(found.similarity_gb)} GB\n"
        f"assumed: {found.tflops:.3g} TFLOP/s achieved ({'from --rate' if rate else '--tflops'}); "
        f"nominal sizes of data sets that are not here; nothing lost to decoding"
    )
    for line in found.unknown:
        typer.echo(f"not known: {line}")


def _rates(given: list[str]) -> dict[str, float]:
    found = {}
    for text in given:
        model, _, value = text.partition("=")
        try:
            found[model] = float(value)
        except ValueError:
            raise UserError(f"--rate: got '{text}'; allowed: MODEL=IMAGES_PER_SECOND") from None
    return found


def _count(n: int | None) -> str:
    return "not known" if n is None else f"{n:,}"


def _gb(value: float) -> str:
    return "0" if value == 0 else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


@app.command()
def tidy() -> None:
    """Move outputs that the study does not have out of data/; forget stages that no study has.

    Such stages lose their entries in dvc.lock, and their training curves in metrics/zoo are moved.
    """
    from simcons.run.pipeline import steps
    from simcons.study import active

    study, paths = load_study(), Paths()
    for path in active.tidy(study, paths):
        typer.echo(f"moved {path} to .simcons/leftovers")
    if paths.dvc_lock.is_file():
        for name in active.forget_stages(study, paths, {step.name for step in steps()}):
            typer.echo(f"took {name} out of dvc.lock")


@app.command()
def check() -> None:
    """Compare every stage's command, params and code with dvc.lock (needs no data)."""
    from simcons.run.pipeline import stale_stages

    load_study()
    n_stages, stale = stale_stages()
    for stage in stale:
        typer.echo(f"{stage.name}: {'; '.join(stage.reasons)}", err=True)
    if stale:
        raise UserError(
            f"{len(stale)} of {n_stages} stages differ from dvc.lock; "
            f"run `dvc repro` and commit dvc.lock and metrics/"
        )
    typer.echo(f"{n_stages} stages, none differs from dvc.lock")


@app.command()
def compare(
    revision: Annotated[str, typer.Argument(help="The git revision to compare with.")] = "HEAD",
) -> None:
    """Compare metrics/*.json with a git revision, within tolerances.yaml's tolerances."""
    from simcons.study.tolerances import differences

    found = differences(Paths(), revision)
    for line in found:
        typer.echo(line, err=True)
    if found:
        raise UserError(f"{len(found)} metrics differ from {revision} by more than their tolerance")
    typer.echo(f"metrics agree with {revision} within their tolerances")


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Show each stage (done, stale, missing) and which features are there.

    While `simcons run` is going on, show its stages: DVC's own state is in flux then.
    """
    while True:
        if watch and sys.stdout.isatty():
            click.clear()
        _status()
        if not watch:
            return
        time.sleep(every)


def _status() -> None:
    from simcons.run.pipeline import stage_states
    from simcons.run.runner import current_run

    going_on = current_run()
    if going_on is not None:
        rows, summary = going_on
        print_table(["stage", "state", "progress"], rows)
        typer.echo(f"simcons run is going on: {summary}")
        return
    study, paths = load_study(), Paths()
    states = stage_states()
    print_table(
        ["stage", "state", "why"],
        [(s.name, s.state, _short(s.reasons) if s.state != "done" else "") for s in states],
    )
    models = sorted(study.model_specs())
    for name in sorted(study.datasets):
        splits = dataset_splits(study.dataset_spec(name))
        absent = [
            m for m in models if not all(paths.feature_file(name, m, s).is_file() for s in splits)
        ]
        missing = f"; missing: {', '.join(absent)}" if absent else ""
        n_there = len(models) - len(absent)
        typer.echo(f"features {name}: {n_there} of {len(models)} models{missing}")
    names = ("done", "stale", "missing", "busy")
    counts = {state: sum(s.state == state for s in states) for state in names}
    typer.echo(", ".join(f"{n} {state}" for state, n in counts.items() if n or state != "busy"))


def _short(reasons: tuple[str, ...], most: int = 2) -> str:
    more = f" (+{len(reasons) - most})" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more
