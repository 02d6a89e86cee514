"""How much does extraction add to the bare forward pass, and what does one decode for all save?

    python benchmarks/extraction.py

The first part compares `simcons.features.extraction.extract` (reading, decoding, transforming,
storing) with a loop that only runs the model on inputs in memory, for a compute-bound model. The
second compares one extraction for four small models with four extractions of one model each, on
large JPEGs, with one transform for all and with one each. Runs alternate, and the best of each
counts, since neighbours on the machine can only slow a run down. Models are untrained: speed does
not depend on the weights.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from simcons.catalog import DatasetSpec, ModelSpec, TransformSpec, WeightsSpec
from simcons.core.store import Store
from simcons.datasets import index_shards, iter_samples
from simcons.datasets.shard_writer import Encoded, write_split
from simcons.features.device import make_runner
from simcons.features.extraction import extract
from simcons.models import load

SPEC = DatasetSpec(id="photos", name="Photos", domain="Made", source="builder")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def model(name: str, dim: int, resize: int = 256) -> ModelSpec:
    """Return an untrained model of timm at 224 pixels."""
    return ModelSpec(
        id=f"{name}_{resize}",
        source="timm",
        name=name,
        weights=WeightsSpec(kind="untrained"),
        objective="untrained",
        architecture=name,
        architecture_class="any",
        train_data="none",
        train_data_class="none",
        size_class="any",
        feature_dim=dim,
        seed=0,
        transform=TransformSpec(resize=resize, crop=224, **IMAGENET),
    )


SMALL = (
    ("mobilenetv3_small_050", 1024),
    ("mobilenetv3_small_075", 1024),
    ("resnet10t", 512),
    ("vit_tiny_patch16_224", 192),
)


def make_photos(folder: Path, n: int, size: tuple[int, int]) -> Path:
    """Write JPEGs of smooth noise, as large files as photographs are."""
    rng = np.random.default_rng(0)

    def jpeg() -> Encoded:
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
        grain = rng.integers(-12, 13, pixels.shape, dtype=np.int16)
        buffer = io.BytesIO()
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(
            buffer, "JPEG", quality=90
        )
        return Encoded(buffer.getvalue(), "jpg")

    write_split(folder / "train", ((f"{i:05d}", jpeg(), i % 2) for i in range(n)))
    (folder / "classnames.txt").write_text("a\nb\n")
    index_shards(folder, SPEC)
    return folder


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run(dataset: Path, specs: list[ModelSpec], threads: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        extract(
            dataset,
            {s.id: s for s in specs},
            Store(Path(scratch) / "store"),
            Path(scratch) / "out",
            threads=threads,
        )


def main(
    images: Annotated[int, typer.Option(help="Images for the compute-bound model.")] = 192,
    photos: Annotated[int, typer.Option(help="Large JPEGs for the four small models.")] = 96,
    big: Annotated[str, typer.Option(help="The compute-bound model of timm.")] = (
        "vit_base_patch16_224"
    ),
    dim: Annotated[int, typer.Option(help="Its feature dimension.")] = 768,
    repeats: Annotated[int, typer.Option(help="Runs of each; the best counts.")] = 2,
    threads: Annotated[int, typer.Option(help="Threads of the forward pass.")] = 2,
) -> None:
    """Measure and print JSON."""
    torch.set_num_threads(threads)
    runner = make_runner()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        ordinary = make_photos(root / "ordinary", images, (500, 375))
        large = make_photos(root / "large", photos, (2400, 1800))
        spec = model(big, dim)
        extractor = runner.prepare(load(spec))
        transformed = [extractor.transform(s.image) for s in iter_samples(ordinary, "train")]
        batches = torch.stack(transformed).split(runner.batch_size)

        def bare() -> None:
            for batch in batches:
                runner.forward([extractor], runner.upload(batch))

        bare()  # the first pass allocates
        loading = seconds(lambda: load(spec))
        one = [model(name, d) for name, d in SMALL]
        each = [model(name, d, 232 + 8 * i) for i, (name, d) in enumerate(SMALL)]
        cases: dict[str, Callable[[], object]] = {
            "bare": bare,
            "extraction": lambda: run(ordinary, [spec], threads),
            "together": lambda: run(large, one, threads),
            "alone": lambda: [run(large, [s], threads) for s in one],
            "together_own_transforms": lambda: run(large, each, threads),
            "alone_own_transforms": lambda: [run(large, [s], threads) for s in each],
        }
        best = dict.fromkeys(cases, float("inf"))
        for _ in range(repeats):
            for name, action in cases.items():
                best[name] = min(best[name], seconds(action))
    best["extraction"] -= loading  # once a job, whatever the number of images
    result = {
        "seconds": {name: round(value, 2) for name, value in best.items()},
        "bare_images_per_second": round(images / best["bare"], 2),
        "share_of_bare_forward_pass": round(best["bare"] / best["extraction"], 3),
        "speedup_one_transform": round(best["alone"] / best["together"], 2),
        "speedup_own_transforms": round(
            best["alone_own_transforms"] / best["together_own_transforms"], 2
        ),
        "device": str(runner.device),
        "cpus": len(os.sched_getaffinity(0)),
    }
    typer.echo(json.dumps(result, indent=1))


if __name__ == "__main__":
    typer.run(main)
