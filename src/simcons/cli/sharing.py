"""`simcons push`, `pull`, `export` and `import-results`: sharing with others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simcons.core.paths import Paths
from simcons.study import stage

if TYPE_CHECKING:
    from simcons.imports.choose import Choice
    from simcons.imports.collect import Published
    from simcons.imports.published_files import Left
    from simcons.remote import Summary

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Families of stages (similarity), stages (similarity@digits) or paths; default: all.",
        show_default=False,
    ),
]
Remote = Annotated[str | None, typer.Option("--remote", "-r", help="DVC remote; default: core's.")]
TimeLimit = Annotated[
    float, typer.Option(help="Seconds without a byte moved after which an attempt is stopped.")
]
Retries = Annotated[int, typer.Option(help="Attempts after the first.")]


def push(
    targets: Targets = None,
    remote: Remote = None,
    time_limit: TimeLimit = 120.0,
    retries: Retries = 3,
) -> None:
    """Push outputs to a DVC remote and check that all arrived.

    Each object is then in the remote with the right size; what was missing or truncated there is
    sent again. A dead server ends in an error, never in a command that hangs.
    """
    from simcons.remote import Limits
    from simcons.remote import push as push_outputs

    with _one_line():
        found = push_outputs(targets or (), remote=remote, limits=Limits(time_limit, retries))
    again = f", {found.replaced} of them in place of damaged ones" * bool(found.replaced)
    _tell(found, "pushed", f"{again}; all {found.objects:,} are there")


def pull(
    targets: Targets = None,
    remote: Remote = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace files that were changed here.")
    ] = False,
    time_limit: TimeLimit = 120.0,
    retries: Retries = 3,
) -> None:
    """Pull outputs from a DVC remote and check the content of all that came.

    `simcons pull similarity` fetches the similarities of the study's data sets, and nothing else.
    """
    from simcons.remote import Limits
    from simcons.remote import pull as pull_outputs

    limits = Limits(time_limit, retries)
    with _one_line():
        found = pull_outputs(targets or (), remote=remote, limits=limits, force=force)
    _tell(found, "pulled", f"; all {found.objects:,} are here, and whole")


@contextmanager
def _one_line() -> Iterator[None]:
    """End with a transfer's error as one line, exit code 1."""
    from simcons.remote import TransferError

    try:
        yield
    except TransferError as error:
        stage.fail(str(error), 1)


def _tell(found: Summary, done: str, rest: str) -> None:
    amount = f"{found.moved:,} objects ({found.n_bytes / 1e6:,.2f} MB)"
    typer.echo(f"{found.where}: {done} {amount}{rest}")
    if found.unknown:
        few = ", ".join(found.unknown[:5]) + ", ..." * (len(found.unknown) > 5)
        typer.echo(f"not in dvc.lock (nobody has run them): {len(found.unknown)} stages ({few})")


def export(
    folder: Annotated[Path, typer.Argument(help="Folder to make; an earlier export is replaced.")],
) -> None:
    """Write the study's results as tidy tables and matrices with a datasheet, to publish them.

    Example: simcons export ../results
    """
    from simcons.study.export import export as write
    from simcons.study.params import load_study

    written = write(load_study(), Paths(), folder)
    tables = [name for name in written if "/" not in name]
    typer.echo(f"wrote {', '.join(tables)} and {len(written) - len(tables)} matrices to {folder}")


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
