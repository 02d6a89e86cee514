"""The authors' names in ours: data sets, measures, and which file is what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simcons.catalog import dataset_specs
from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import folder_name

#: The linear probe of the study's main results; other settings are other experiments.
MAIN_PROBE = (
    "no_fewshot",
    "fewshot_epochs_20",
    "regularization_weight_decay",
    "batch_size_1024",
)

_PATTERNS = {
    "matrix": r"model_similarities/(?P<dataset>.+)/(?P<measure>[^/]+)/similarity_matrix\.pt",
    "ids": r"model_similarities/.+/model_ids\.txt",
    "features": r"features/(?P<dataset>.+)/(?P<model>[^/]+)/features_(?P<split>train|test)\.pt",
    "targets": r"features/.+/targets_(train|test)\.pt",
    "subset": r"datasets/subsets/(?P<dataset>.+)/subset_indices_train\.json",
    "probe": r"results/linear_probe/single_model/(?P<dataset>.+?)/(?P<model>[^/]+)/"
    r"(?P<settings>[^/]+/[^/]+/[^/]+/[^/]+)/seed_(?P<seed>[0-9]+)/results\.json",
    "similarity_table": r"results/aggregated/model_sims/all_metric_ds_model_pair_similarity\.csv",
    "accuracy_table": r"results/aggregated/single_model_performance/all_ds\.csv",
}


class Left(NamedTuple):
    """Something that was not taken, and why."""

    what: str
    why: str


class PublishedFile(NamedTuple):
    """A file of the layout: what it is, where it lies, what its path says.

    Attributes
    ----------
    kind
        A key of the layout, or ``other``.
    path
        The file.
    name
        Its path below the published folder.
    says
        What the path says: dataset, measure, model, split, seed, settings.
    """

    kind: str
    path: Path
    name: str
    says: dict[str, str]

    @property
    def dataset(self) -> str:
        """Our name of the data set; a `UserError` if the catalogue has none."""
        return dataset_name(self.says["dataset"])

    def left(self, error: UserError) -> Left:
        """Return why the file was not taken, without its name, which stands beside it."""
        return Left(self.name, reason(error, f"{self.path}: ", f"{self.name}: "))


def reason(error: Exception, *prefixes: str) -> str:
    """Return what an error says, without what stands beside it in the report."""
    text = str(error)
    for prefix in prefixes:
        text = text.removeprefix(prefix)
    return text


def published_files(folder: Path) -> Iterator[PublishedFile]:
    """Yield every file below a folder, sorted, each with its place in the layout."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        for kind, pattern in _PATTERNS.items():
            match = re.fullmatch(pattern, name)
            if match:
                yield PublishedFile(kind, path, name, match.groupdict())
                break
        else:
            yield PublishedFile("other", path, name, {})


def dataset_name(text: str) -> str:
    """Return our folder name of a data set that the authors name by folder, id or title.

    Raises
    ------
    UserError
        If the catalogue has no such data set, or several of that title.
    """
    specs = dataset_specs()
    if folder_name(text) in specs:
        return folder_name(text)
    titled = [name for name, spec in specs.items() if spec.name == text]
    if len(titled) == 1:
        return titled[0]
    if titled:
        raise UserError(f"'{text}' is the title of {' and of '.join(sorted(titled))}")
    raise UserError(f"unknown data set '{text}': {did_you_mean(folder_name(text), specs)}")


def measure_name(text: str) -> str:
    """Return our name of a measure.

    ``cka_kernel_rbf_unbiased_sigma_0.4`` is ``cka_rbf_0.4``,
    ``rsa_method_correlation_corr_method_spearman`` is ``rsa_correlation_spearman``.

    Raises
    ------
    UserError
        If it is none of CKA (linear, RBF) and RSA.
    """
    words = re.findall(r"[a-z]+|[0-9]*\.?[0-9]+", text.lower())
    numbers = [word for word in words if word[0] in ".0123456789"]
    said = set(words) - set(numbers)
    if said <= {"cka", "kernel", "rbf", "linear", "biased", "unbiased", "sigma"} and "cka" in said:
        suffix = "_biased" if "biased" in said else ""
        if "linear" in said and "rbf" not in said and not numbers:
            return f"cka_linear{suffix}"
        if "rbf" in said and "linear" not in said and len(numbers) == 1:
            return f"cka_rbf_{float(numbers[0]):g}{suffix}"
    distances, correlations = {"correlation", "cosine", "euclidean"}, {"pearson", "spearman"}
    if said <= {"rsa", "method", "corr", *distances, *correlations} and "rsa" in said:
        distance, correlation = said & distances, said & correlations
        if len(distance) == len(correlation) == 1 and not numbers:
            return f"rsa_{distance.pop()}_{correlation.pop()}"
    raise UserError(
        f"unknown measure '{text}'; known: cka_kernel_linear_(un)biased, "
        f"cka_kernel_rbf_(un)biased_sigma_<number>, "
        f"rsa_method_<correlation|cosine|euclidean>_corr_method_<pearson|spearman>"
    )
