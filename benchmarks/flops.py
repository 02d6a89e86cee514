"""Forward GFLOPs per image of every model of the catalogue, for `simcons study cost`.

    python benchmarks/flops.py [MODEL ...] > src/simcons/catalog/gflops.yaml

Counted by torch on the meta device (no weights, no arithmetic): two per multiply and add, matrix
products, convolutions and attention only, at the size that the catalogue's transform gives.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from simcons.catalog import ModelSpec, model_specs


def build(spec: ModelSpec) -> tuple[torch.nn.Module, int]:
    """Return the network without weights, and the side of its input."""
    if spec.source == "timm":
        import timm

        name = spec.name if spec.weights.kind != "hub" else f"{spec.name}.{spec.weights.tag}"
        model = timm.create_model(name, pretrained=False, num_classes=0, **spec.options)
        side = (
            spec.options.get("img_size")
            or timm.data.resolve_data_config(model=model)["input_size"][-1]
        )
    elif spec.source == "open_clip":
        import open_clip

        vision = open_clip.create_model(
            spec.name, pretrained=None, load_weights=False, device="meta"
        ).visual
        side = vision.image_size if isinstance(vision.image_size, int) else vision.image_size[0]
        return vision, side
    elif spec.source == "torchvision":
        import torchvision

        model = torchvision.models.get_model(spec.name, weights=None)
        side = 224
        if spec.weights.kind == "hub":
            weights = torchvision.models.get_model_weights(spec.name)[spec.weights.tag]
            side = weights.transforms().crop_size[0]
    elif spec.source == "transformers":
        import transformers

        config = transformers.AlignVisionConfig()
        return transformers.AlignVisionModel(config), 289
    else:
        raise ValueError(spec.source)
    if spec.transform is not None:
        side = spec.transform.crop or spec.transform.resize
    return model, side


def gflops(spec: ModelSpec) -> float:
    """Return GFLOPs of one image's forward pass."""
    with torch.device("meta"):
        model, side = build(spec)
        image = torch.zeros(1, 3, side, side)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            model.eval().requires_grad_(False)(image)
    return counter.get_total_flops() / 1e9


def main() -> None:
    wanted = sys.argv[1:] or sorted(model_specs())
    print("# GFLOPs (two per multiply and add) of one image's forward pass, by model; made by")
    print("# benchmarks/flops.py. Models not listed: estimated from their parameters.")
    for name in wanted:
        spec = model_specs()[name]
        if spec.source in ("pixels", "python", "zoo"):
            continue
        try:
            value: Any = round(gflops(spec), 2)
        except Exception as error:  # one model that meta tensors cannot do must not stop the rest
            print(f"{name}: {type(error).__name__}: {error}"[:200], file=sys.stderr)
            continue
        print(f"{name}: {value}", flush=True)


if __name__ == "__main__":
    main()
