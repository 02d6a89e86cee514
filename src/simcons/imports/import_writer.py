"""Put published results below ``imports/``, and make the study that runs on them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from simcons.core.errors import UserError
from simcons.core.files import atomic, read_yaml, sha256_file, write_json, write_parquet, write_text
from simcons.core.paths import Paths
from simcons.imports.assemble import PROBES, PROVENANCE, SIMILARITY, SUBSET
from simcons.imports.choose import Choice
from simcons.imports.collect import Published
from simcons.imports.conversion import convert_features, convert_subset
from simcons.imports.published_files import Left
from simcons.imports.published_probes import probe_table

_HEADER = """\
# Published results instead of computed ones, imported by `simcons import-results`. What was taken,
# and what was left and why: imports/{name}/report.txt. `dvc repro` runs the analyses; no GPU.
"""


def check_name(name: str, paths: Paths) -> None:
    """Refuse a name that is not valid or would overwrite a study made by hand.

    Raises
    ------
    UserError
        In these cases.
    """
    if re.fullmatch(r"[a-z0-9_]+", name) is None:
        raise UserError(f"--name: got '{name}'; it names a folder, so it may hold a-z, 0-9 and _")
    if paths.study_file(name).is_file() and not paths.imports(name).is_dir():
        raise UserError(
            f"{paths.study_file(name)} is there and no import of that name; take another --name"
        )


def write_import(found: Published, name: str, report: str, paths: Paths) -> None:
    """Write ``imports/NAME``: a folder per data set, and the report; replace an earlier import."""
    with atomic(paths.imports(name)) as folder:
        folder.mkdir()
        for dataset in found.datasets():
            _write_dataset(found, dataset, folder / dataset)
        write_text(folder / "report.txt", report)


def _write_dataset(found: Published, dataset: str, folder: Path) -> None:
    import pandas as pd

    from simcons.similarity import SimilarityMatrix

    matrices = {measure: m for (d, measure), m in sorted(found.matrices.items()) if d == dataset}
    if matrices:
        parts = [
            SimilarityMatrix(matrix.models, matrix.values).pairs().assign(measure=measure)
            for measure, matrix in matrices.items()
        ]
        columns = ["measure", "model_1", "model_2", "value"]
        write_parquet(folder / SIMILARITY, pd.concat(parts, ignore_index=True)[columns])
    if dataset in found.probes:
        write_parquet(folder / PROBES, probe_table(found.probes[dataset]))
    for file in found.subsets:
        if file.dataset == dataset:
            convert_subset(file, folder / SUBSET)
    sources = {name: sha256_file(path) for name, path in sorted(found.sources[dataset].items())}
    write_json(
        folder / PROVENANCE,
        {
            "source": "published intermediate results of Ciernik et al. (2025), arXiv 2411.05561",
            "files": sources,
            "asymmetry": {measure: matrix.asymmetry for measure, matrix in matrices.items()},
            "absent": ["standard errors", "replicates", "sample keys"],
        },
    )


def write_features(found: Published, folder: Path) -> tuple[int, list[Left]]:
    """Convert every feature file into a folder; return how many, and what was left and why."""
    left, count = [], 0
    for file in found.features:
        try:
            convert_features(file, folder)
            count += 1
        except UserError as error:
            left.append(file.left(error))
    return count, left


def write_study(choice: Choice, name: str, paths: Paths) -> None:
    """Write ``studies/NAME.yaml``: the paper's study with published results for computed ones."""
    from ruamel.yaml import YAML

    values: dict[str, Any] = read_yaml(paths.study_file("paper"))
    values |= {
        "study": name,
        "datasets": {},
        "similarity_datasets": [],
        "probe_datasets": [],
        "variants": {},
        "imported": {"name": name, "similarity": choice.similarity, "probes": choice.probes},
        "models": choice.models,
        "zoo": {},
    }
    values["similarity"]["measures"] = choice.measures
    analysis = values["consistency"]
    analysis["anchors"] = [m for m in analysis["anchors"] if m in choice.models]
    shared = ([d for d in group if d in choice.similarity] for group in analysis["overlaps"])
    analysis["overlaps"] = [group for group in shared if len(group) > 1]
    analysis["accuracy_from"] = {
        dataset: other
        for dataset, other in analysis.get("accuracy_from", {}).items()
        if dataset in choice.similarity and dataset not in choice.probes and other in choice.probes
    }
    with atomic(paths.study_file(name)) as part, part.open("w", encoding="utf-8") as file:
        file.write(_HEADER.format(name=name))
        yaml: Any = YAML(typ="safe")
        yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
        yaml.dump(values, file)


def track(name: str, paths: Paths) -> None:
    """Put ``imports/NAME`` under DVC, so that `dvc push` shares it with the study's results.

    Raises
    ------
    UserError
        If DVC will not.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "add", "--quiet", f"imports/{name}"],
        cwd=paths.root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"imports/{name}: DVC cannot track it: {' '.join(done.stderr.split())}")
