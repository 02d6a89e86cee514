"""Sources torchvision, transformers and python; timm and open_clip are in test_models."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from simcons.catalog import ModelSpec, TransformSpec, WeightsSpec, model_spec
from simcons.core.errors import UserError
from simcons.models import fingerprint_parts, load
from simcons.models.extractor import transform
from simcons.models.transforms import Transform

UNTRAINED = {"weights": WeightsSpec(kind="untrained"), "seed": 0}


def image(seed=0, size=(70, 90)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def resnet18(**changes) -> ModelSpec:
    size = TransformSpec(resize=40, crop=32)
    base = {"name": "resnet18", "feature_dim": 512, "transform": size, **UNTRAINED}
    return model_spec("resnet50").model_copy(update={**base, **changes})


@pytest.mark.parametrize("model", ["resnet50", "efficientnet_b3", "vgg16"])
def test_torchvisions_transforms_are_its_own(model):
    spec = model_spec(model)
    preset = torchvision.models.get_model_weights(spec.name)[spec.weights.tag].transforms()
    for seed, size in enumerate([(400, 500), (300, 250)]):
        own = transform(spec)(image(seed, size))
        # Theirs resizes what it is given; a PIL image as ours.
        assert torch.allclose(own, preset(image(seed, size)), atol=1e-5)


def test_torchvision_without_its_head_is_its_pooled_layer():
    pooled, named = load(resnet18(layer="pooled")), load(resnet18(layer="avgpool"))
    batch = torch.rand(2, 3, 32, 32)
    assert torch.equal(pooled.forward(batch), named.forward(batch))
    assert torch.equal(named.forward(batch), load(resnet18()).forward(batch))
    assert not torch.equal(named.forward(batch), load(resnet18(seed=1)).forward(batch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "resnet19"}, "torchvision has no 'resnet19': did you mean 'resnet18'"),
        ({"transform": None}, "give 'transform'"),
        (
            {"weights": WeightsSpec(kind="hub", tag="IMAGENET1K_V9")},
            "no weights 'IMAGENET1K_V9' for 'resnet18'.*IMAGENET1K_V1",
        ),
        (
            {"weights": WeightsSpec(kind="hub", tag="IMAGENET1K_V1", revision="a")},
            "cannot pin a 'revision'",
        ),
    ],
)
def test_what_torchvision_has_not_is_refused(changes, message):
    with pytest.raises(UserError, match=f"'resnet50': .*{message}"):
        load(resnet18(**changes))


# --- transformers ---

TINY = {
    "vision_config": {
        "image_size": 32,
        "width_coefficient": 0.5,
        "depth_coefficient": 0.3,
        "hidden_dim": 16,
    },
    "text_config": {
        "vocab_size": 32,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    },
}


def align(**changes) -> ModelSpec:
    base = {
        "feature_dim": 160,
        "options": {"model_type": "align", "config": TINY},
        "transform": TransformSpec(resize=32, mode="squash"),
        **UNTRAINED,
    }
    return model_spec("Kakaobrain_Align").model_copy(update={**base, **changes})


def test_aligns_vision_tower_is_read_at_its_pooler(tmp_path):
    from transformers import AlignConfig, AlignModel

    torch.manual_seed(0)
    model = AlignModel(AlignConfig(**TINY, projection_dim=160)).eval()
    for part in model.vision_model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
    model.save_pretrained(tmp_path / "align")
    hub = WeightsSpec(kind="hub", tag="main")
    saved = align(name=str(tmp_path / "align"), weights=hub, options={})
    batch = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = model.vision_model(pixel_values=batch).pooler_output.flatten(1)
    for layer in ("pooler", "pooled"):
        found = load(saved.model_copy(update={"layer": layer})).forward(batch)
        assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(load(align()).forward(batch), wanted, atol=1e-5)


def test_the_transform_of_align_is_its_processors():
    from transformers import EfficientNetImageProcessor

    processor = EfficientNetImageProcessor(
        do_center_crop=True,
        rescale_factor=1 / 127.5,
        rescale_offset=True,
        do_normalize=False,
        include_top=False,
        resample=Image.Resampling.BILINEAR,
    )
    ours = transform(model_spec("Kakaobrain_Align"))(image(0, (400, 500)))
    theirs = processor(images=image(0, (400, 500)), return_tensors="pt")["pixel_values"][0]
    assert ours.shape == theirs.shape == (3, 289, 289)
    # Theirs resizes a uint8 tensor, ours a PIL image: they round differently.
    assert (ours - theirs).abs().max() < 3 / 127.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"model_type": "allign"}}, "options.model_type: got 'allign'.*'align'"),
        ({"options": {"model_type": "bert", "config": TINY["text_config"]}}, "no vision tower"),
        ({"transform": None}, "needs 'transform'"),
        ({"weights": WeightsSpec(kind="file", path="x")}, "weights of kind 'hub' or 'untrained'"),
        (
            {"weights": WeightsSpec(kind="hub", tag="main"), "name": "no/such_folder"},
            "'no/such_folder' could not be loaded",
        ),
    ],
)
def test_what_transformers_has_not_is_refused(changes, message, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=f"'Kakaobrain_Align': .*{message}"):
        load(align(**changes))


# --- python ---

CODE = """
import torch
from torchvision.transforms import v2


def build(width=8):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    transform = v2.Compose(
        [v2.Resize((16, 16)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    )
    return module, transform


def by_fields():
    return build()[0], {"resize": 16, "mode": "squash"}


def no_tuple():
    return build()[0]


def bad_transform():
    return build()[0], lambda image: 3


def bad_fields():
    return build()[0], {"resize": -1}


def no_transform():
    return build()[0], None


def broken():
    raise ValueError("no such file")
"""

RAISES = next(n for n, line in enumerate(CODE.splitlines(), 1) if "raise ValueError" in line)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A repository whose folder `own` holds the code above, under a name that no test shares."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "own"
    folder.mkdir()
    name = f"my_models_{abs(hash(tmp_path.name)):x}"
    (folder / f"{name}.py").write_text(CODE)
    yield folder, name
    sys.modules.pop(name, None)


def mine(name: str, function: str = "build", **changes) -> ModelSpec:
    base = {
        "id": "mine",
        "source": "python",
        "name": f"{name}:{function}",
        "weights": WeightsSpec(kind="python"),
        "transform": None,
        "feature_dim": 8,
    }
    return model_spec("pixels").model_copy(update={**base, **changes})


def test_a_users_function_makes_a_model(own):
    spec = mine(own[1])
    first, again = load(spec), load(spec)
    inputs = torch.stack([first.transform(image(s)) for s in range(2)])
    assert inputs.shape == (2, 3, 16, 16)
    assert torch.equal(first.forward(inputs), again.forward(inputs)), "the seed is the entry's"
    wide = mine(own[1], feature_dim=5, options={"width": 5})
    assert load(wide).forward(inputs).shape == (2, 5)
    assert load(mine(own[1], "by_fields")).transform == Transform(
        TransformSpec(resize=16, mode="squash")
    )
    chosen = TransformSpec(resize=20, mode="squash")
    assert load(mine(own[1], transform=chosen)).transform == Transform(chosen)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("bild", "has no function 'bild': did you mean 'build'"),
        ("no_tuple", "returned Sequential; it must return a torch module and a transform"),
        ("bad_transform", "its transform returned int, not a tensor"),
        ("bad_fields", "its transform: resize"),
        ("no_transform", "its transform is NoneType; allowed: a callable"),
        ("broken", rf"failed: ValueError: no such file \(.*own/my_models_.*\.py, line {RAISES}\)"),
    ],
)
def test_what_a_users_function_does_wrong_is_said(own, function, message):
    with pytest.raises(UserError, match=f"'mine': .*{message}"):
        load(mine(own[1], function))


def test_a_users_module_that_is_missing_or_broken_is_named(own):
    with pytest.raises(UserError, match="there is no Python module 'nowhere', neither in own/ nor"):
        load(mine("nowhere"))
    with pytest.raises(UserError, match="there is no Python module 'nowhere.at.all'"):
        fingerprint_parts(mine("nowhere.at.all"))
    (own[0] / "half_written.py").write_text("def build(:\n")
    with pytest.raises(UserError, match="half_written failed: SyntaxError"):
        load(mine("half_written"))


def test_a_users_code_decides_the_fingerprint(own):
    folder, name = own
    spec = mine(name)
    before = fingerprint_parts(spec)
    assert before == fingerprint_parts(spec)
    assert before["transform"] is None
    (folder / "models.yaml").write_text("# notes\n")
    assert fingerprint_parts(spec) == before
    (folder / "helpers.py").write_text("WIDTH = 3\n")
    assert fingerprint_parts(spec) != before, "the module may import it"
    assert fingerprint_parts(mine("torchvision.models:resnet18"))["weights"]["code"]


def test_a_file_that_a_users_function_reads_decides_it_too(own, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"1")
    spec = mine(own[1], weights=WeightsSpec(kind="python", path=str(path)))
    before = fingerprint_parts(spec)["weights"]
    other = tmp_path / "other.bin"
    other.write_bytes(b"2")
    after = mine(own[1], weights=WeightsSpec(kind="python", path=str(other)))
    assert fingerprint_parts(after)["weights"] != before
    pinned = WeightsSpec(kind="python", path=str(path), sha256="0" * 64)
    with pytest.raises(UserError, match="the file is damaged or another one"):
        load(mine(own[1], weights=pinned))


def test_a_users_model_goes_through_extraction(own, tmp_path):
    from simcons.core.store import Store
    from simcons.datasets import index_shards, iter_samples, write_split
    from simcons.features import FeatureFile
    from simcons.features.extraction import extract

    folder, name = own
    entry = f"""
    mine:
      source: python
      name: {name}:build
      weights: {{kind: python}}
      objective: Mine
      architecture: Conv
      architecture_class: Convolutional
      train_data: none
      train_data_class: none
      size_class: small
      feature_dim: 8
    """
    (folder / "models.yaml").write_text(textwrap.dedent(entry))
    shards = tmp_path / "shards"

    class Spec:
        id, name, domain, source, license = "tiny", "Tiny", "Noise", "builder", "MIT"

    for split in ("train", "test"):
        write_split(shards / split, [(f"{i}", image(i, (20, 20)), i % 2) for i in range(5)], 3)
    (shards / "classnames.txt").write_text("zero\none\n")
    index_shards(shards, Spec(), {})
    specs = {model: model_spec(model) for model in ("mine", "pixels")}
    extract(shards, specs, Store(tmp_path / "store"), tmp_path / "out", threads=1)
    found = FeatureFile.read(tmp_path / "out" / "mine" / "train.safetensors")
    extractor = load(specs["mine"])
    samples = [s for shard in (0, 1) for s in iter_samples(shards, "train", shard)]
    wanted = extractor.forward(torch.stack([extractor.transform(s.image) for s in samples]))
    assert found.keys == [s.key for s in samples]
    assert np.allclose(found.features, wanted.numpy(), atol=1e-5)
