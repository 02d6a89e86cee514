"""`simcons study ...` and `simcons status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simcons.cli.output import print_table
from simcons.errors import UserError
from simcons.params import Study, load_study
from simcons.paths import Paths

app = typer.Typer(help="Choose, show and check the study.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the ready-made studies; the active one is marked."""
    from simcons.study import active_study, study_names

    paths = Paths()
    active = active_study(paths)
    for name in study_names(paths):
        typer.echo(f"{'*' if name == active else ' '} {name}")
    if active is None and paths.params.is_file():
        typer.echo("* params.yaml (changed by hand)")


@app.command()
def use(name: Annotated[str, typer.Argument(help="Name of a study under studies/.")]) -> None:
    """Make a ready-made study the active one (copies it to params.yaml)."""
    from simcons.study import use_study

    for path in use_study(name, Paths()):
        typer.echo(f"moved {path} to .simcons/leftovers")
    typer.echo(f"params.yaml is now studies/{name}.yaml; `dvc repro` runs it")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="The study's file.")] = Path("params.yaml"),
) -> None:
    """Validate params.yaml and print the study with its counts."""
    study = load_study(path)
    n_models, n_measured = len(study.model_specs()), len(study.measured())
    pairs = n_models * (n_models - 1) // 2
    typer.echo(
        f"study {study.study}: {len(study.names())} data sets, {n_models} models, ", nl=False
    )
    typer.echo(f"{pairs} model pairs, {n_measured * (n_measured - 1) // 2} data set pairs")
    typer.echo(f"measures: {', '.join(study.similarity.measures)}")
    typer.echo(
        f"probes: {len(study.probe.seeds)} seeds, {study.probe.epochs} epochs, "
        f"{len(study.probe.learning_rates)} learning rates x "
        f"{study.probe.weight_decays.count} weight decays"
    )
    print_table(
        ["data set", "domain", "source", "similarity", "probes"],
        [
            (name, spec.domain, *_origins(study, name, spec.source))
            for name, spec in study.dataset_specs().items()
        ],
    )
    print_table(
        ["model", "objective", "architecture", "train data", "size", "dim"],
        [
            (
                m.id,
                m.objective,
                m.architecture_class,
                m.train_data_class,
                m.size_class,
                m.feature_dim,
            )
            for m in study.model_specs().values()
        ],
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
def tidy() -> None:
    """Move outputs of data sets and zoo models that are not in the study out of data/."""
    from simcons import study

    moved = study.tidy(load_study(), Paths())
    for path in moved:
        typer.echo(f"moved {path} to .simcons/leftovers")


@app.command()
def check() -> None:
    """Compare every stage's command, params and code with dvc.lock (needs no data)."""
    from simcons.pipeline import stale_stages

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
    from simcons.tolerances import differences

    found = differences(Paths(), revision)
    for line in found:
        typer.echo(line, err=True)
    if found:
        raise UserError(f"{len(found)} metrics differ from {revision} by more than their tolerance")
    typer.echo(f"metrics agree with {revision} within their tolerances")


def status() -> None:
    """Show each stage (done, stale, missing) and which features are there."""
    from simcons.pipeline import stage_states

    study, paths = load_study(), Paths()
    states = stage_states()
    print_table(
        ["stage", "state", "why"],
        [(s.name, s.state, _short(s.reasons) if s.state != "done" else "") for s in states],
    )
    models = list(study.model_specs())
    for name in sorted(study.datasets):
        absent = [
            model
            for model in models
            for split in ("train", "test")
            if not paths.feature_file(name, model, split).is_file()
        ]
        there = len(models) - len(set(absent))
        missing = f"; missing: {', '.join(sorted(set(absent)))}" if absent else ""
        typer.echo(f"features {name}: {there} of {len(models)} models{missing}")
    counts = {
        state: sum(s.state == state for s in states) for state in ("done", "stale", "missing")
    }
    typer.echo(", ".join(f"{n} {state}" for state, n in counts.items()))


def _short(reasons: tuple[str, ...], most: int = 2) -> str:
    more = f" (+{len(reasons) - most})" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more
