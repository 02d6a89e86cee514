"""`simcons import-results`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simcons.core.paths import Paths

if TYPE_CHECKING:
    from simcons.imports.choose import Choice
    from simcons.imports.collect import Published
    from simcons.imports.published_files import Left


def import_results(
    folder: Annotated[Path, typer.Argument(help="The authors' published results.")],
    name: Annotated[str, typer.Option(help="Name of the study to make.")] = "published",
    features: Annotated[
        Path | None, typer.Option(help="Convert features too (they are large), into this folder.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be taken; write nothing.")] = False,
) -> None:
    """Import published similarities and accuracies, and make a study that analyses them.

    Example: simcons import-results ~/published && simcons study use published && dvc repro
    """
    from simcons.imports.choose import choose
    from simcons.imports.collect import read_published
    from simcons.imports.import_writer import (
        check_name,
        track,
        write_features,
        write_import,
        write_study,
    )

    paths = Paths()
    check_name(name, paths)
    found = read_published(folder)
    choice = choose(found)
    report = _report(found, choice, _features_left(found, features))
    typer.echo(report, nl=False)
    if dry_run:
        typer.echo("nothing was written (--dry-run)")
        return
    write_import(found, name, report, paths)
    write_study(choice, name, paths)
    track(name, paths)
    if features is not None:
        count, left = write_features(found, features)
        typer.echo(f"wrote {count} feature files to {features}")
        for item in left:
            typer.echo(f"left {item.what}: {item.why}")
    typer.echo(f"wrote imports/{name} and studies/{name}.yaml")
    typer.echo(f"run: simcons study use {name} && dvc repro")
    typer.echo(
        f"share: git add imports/{name}.dvc imports/.gitignore studies/{name}.yaml; dvc push"
    )


def _features_left(found: Published, features: Path | None) -> list[Left]:
    from simcons.imports.published_files import Left

    if features is not None or not found.features:
        return []
    return [Left(f"features: {len(found.features)} files", "large; --features FOLDER converts")]


def _report(found: Published, choice: Choice, more: list[Left]) -> str:
    """Return what was taken, a line per data set, and what was left, a line each."""
    lines = [
        f"taken: {len(choice.similarity)} data sets with similarities, {len(choice.probes)} with "
        f"accuracies, {len(choice.models)} models, {', '.join(choice.measures)}"
    ]
    for dataset in found.datasets():
        measures = sorted(m for d, m in found.matrices if d == dataset)
        models = {row["model"] for row in found.probes.get(dataset, [])}
        parts = [f"similarity {', '.join(measures)}"] if measures else []
        parts += [f"accuracies of {len(models)} models"] if models else []
        files = f"{len(found.sources[dataset])} files"
        lines.append(f"  {dataset}: {'; '.join([*parts, files])}")
    left = [*found.left, *choice.left, *more]
    lines += [f"left {item.what}: {item.why}" for item in left]
    lines.append("absent in what was published: standard errors, replicates, sample keys")
    return "\n".join(lines) + "\n"
