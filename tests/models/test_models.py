"""Models: the catalogue, sources, weights files and transforms."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import save_file

from simcons.catalog import (
    DatasetSpec,
    ModelSpec,
    TransformSpec,
    WeightsSpec,
    dataset_spec,
    model_spec,
    model_specs,
    model_table,
)
from simcons.core.errors import UserError
from simcons.core.files import sha256_file
from simcons.models import fingerprint_parts, load
from simcons.models.extractor import Extractor, transform
from simcons.models.transforms import Transform

TABBY, EGYPTIAN_CAT = 281, 285  # ImageNet-1k's five house cats are classes 281 to 285


def small(**changes) -> ModelSpec:
    """A small untrained timm model."""
    return model_spec("untrained_mobilenetv3_small").model_copy(update=changes)


def image(size=(40, 60), seed=0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


OFFLINE = sorted(m.id for m in model_specs().values() if m.weights.kind in ("package", "untrained"))


@pytest.mark.parametrize("model", OFFLINE)
def test_every_model_that_needs_no_network_gives_features_of_its_dimension(model):
    extractor = load(model_spec(model))
    inputs = torch.stack([extractor.transform(image(seed=s)) for s in range(2)])
    features = extractor.forward(inputs)
    assert features.shape == (2, model_spec(model).feature_dim)
    assert features.dtype == torch.float32
    assert not torch.equal(features[0], features[1])


@pytest.mark.parametrize("model", ["efficientnet_lite0", "untrained_resnet10t"])
def test_parameters_are_the_architectures(model):
    import timm

    module = timm.create_model(model_spec(model).name)
    assert sum(p.numel() for p in module.parameters()) == model_spec(model).params


def test_efficientnet_recognises_the_cat():
    import timm

    from simcons.models import weights

    spec = model_spec("efficientnet_lite0")
    classifier = timm.create_model(spec.name, pretrained=False).eval()
    weights.load_into(classifier, spec)
    cat = Image.fromarray(skimage.data.chelsea())
    at_224 = transform(spec.model_copy(update={"transform": None}))
    with torch.inference_mode():
        logits = classifier(at_224(cat)[None])
    assert TABBY <= int(logits.argmax()) <= EGYPTIAN_CAT


def test_untrained_weights_come_from_the_seed_alone():
    first, again = load(small()), load(small())
    other = load(small(seed=1))
    inputs = first.transform(image())[None]
    assert torch.equal(first.forward(inputs), again.forward(inputs))
    assert not torch.equal(first.forward(inputs), other.forward(inputs))


def test_loading_a_model_draws_nothing_from_the_global_generator():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    load(small())
    assert torch.equal(before, torch.random.get_rng_state())


def test_timm_evaluation_transform_is_timms(monkeypatch):
    import timm

    spec = small(transform=None)
    ours = transform(spec)(image((300, 400)))
    config = timm.data.resolve_model_data_config(timm.create_model(spec.name))
    theirs = timm.data.create_transform(**config, is_training=False)(image((300, 400)))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_open_clip_evaluation_transform_is_open_clips():
    import open_clip

    spec = clip_spec()
    ours = transform(spec)(image((300, 400)))
    _, _, preprocess = open_clip.create_model_and_transforms("RN50", pretrained=None)
    assert torch.allclose(ours, preprocess(image((300, 400))), atol=1e-6)
    tagged = spec.model_copy(
        update={"name": "ViT-B-16-SigLIP", "weights": WeightsSpec(kind="hub", tag="webli")}
    )
    assert transform(tagged).spec.mode == "squash"
    assert transform(tagged).spec.mean == (0.5, 0.5, 0.5)


def clip_spec(**changes) -> ModelSpec:
    values = {
        "id": "clip",
        "source": "open_clip",
        "name": "RN50",
        "weights": WeightsSpec(kind="untrained"),
        "seed": 0,
        "feature_dim": 1024,
        "transform": None,
    }
    return small(**{**values, **changes})


def test_open_clip_image_tower_from_a_local_file(tmp_path):
    import open_clip

    torch.manual_seed(3)
    whole = open_clip.create_model("ViT-S-32", pretrained=None).eval()
    save_file(whole.state_dict(), tmp_path / "clip.safetensors")
    spec = clip_spec(
        name="ViT-S-32",
        feature_dim=384,
        weights=WeightsSpec(kind="file", path=str(tmp_path / "clip.safetensors")),
    )
    extractor = load(spec)
    inputs = extractor.transform(image((250, 250)))[None]
    with torch.inference_mode():
        expected = whole.encode_image(inputs)
    assert torch.allclose(extractor.forward(inputs), expected, atol=1e-5)


def test_open_clip_refusals():
    with pytest.raises(UserError, match="open_clip has no 'RN5O'.*did you mean 'RN50'"):
        load(clip_spec(name="RN5O"))
    hub = WeightsSpec(kind="hub", tag="opnai")
    with pytest.raises(UserError, match="no weights 'opnai' for 'RN50'.*did you mean 'openai'"):
        load(clip_spec(weights=hub))


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch):
    # The client's own switch: without it each attempt waits and retries for a minute.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub = WeightsSpec(kind="hub", tag="lamb_in1k")
    with pytest.raises(UserError, match=r"mobilenetv3_small_050\.lamb_in1k.*could not be loaded"):
        load(small(weights=hub))
    hub = WeightsSpec(kind="hub", tag="openai")
    with pytest.raises(UserError, match="'openai' could not be loaded"):
        load(clip_spec(weights=hub))


def test_a_timm_name_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="timm has no 'resnet10tt'.*did you mean 'resnet10t'"):
        load(small(name="resnet10tt"))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_local_checkpoint_is_loaded_strictly(tmp_path, suffix):
    import timm

    torch.manual_seed(5)
    module = timm.create_model(small().name).eval()
    path = tmp_path / f"weights.{suffix}"
    state = module.state_dict()
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state}, path)
    spec = small(weights=WeightsSpec(kind="file", path=str(path), sha256=sha256_file(path)))
    extractor = load(spec)
    module.reset_classifier(0)
    inputs = extractor.transform(image())[None]
    with torch.inference_mode():
        assert torch.allclose(extractor.forward(inputs), module(inputs), atol=1e-5)
    assert fingerprint_parts(spec)["weights"] == {"sha256": sha256_file(path), "match": "name"}


def test_weights_files_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"

    def load_from(**weights):
        return load(small(weights=WeightsSpec(kind="file", path=str(path), **weights)))

    with pytest.raises(UserError, match=r"other\.safetensors does not exist"):
        load_from()
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="does not fit 'mobilenetv3_small_050'"):
        load_from()
    with pytest.raises(UserError, match="holds 1 tensors"):
        load_from(match="position")
    with pytest.raises(UserError, match="SHA-256"):
        load_from(sha256="0" * 64)


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_python_objects_in_a_weights_file_are_never_unpickled(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(UserError, match=r"evil\.pth: cannot be read as weights"):
        load(small(weights=WeightsSpec(kind="file", path=str(path))))
    assert "unpickled" not in capsys.readouterr().out


def test_a_damaged_weights_file_is_named(tmp_path):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match=r"damaged\.safetensors"):
        load(small(weights=WeightsSpec(kind="file", path=str(path))))


def test_a_package_that_is_not_installed_is_named():
    weights = WeightsSpec(kind="package", package="no_such_package_here", path="w.pth")
    with pytest.raises(UserError, match="'no_such_package_here', which is not installed"):
        load(small(weights=weights))


def test_wrong_dimension_and_bad_values_are_refused():
    with pytest.raises(UserError, match=r"shape \(1, 1024\), the catalogue says \(1, 99\)"):
        load(small(feature_dim=99)).forward(torch.zeros(1, 3, 64, 64))
    broken = Extractor(
        small(feature_dim=12), torch.nn.Flatten(), Transform(TransformSpec(resize=2))
    )
    with pytest.raises(UserError, match="NaN or infinite"):
        broken.forward(torch.full((1, 3, 2, 2), torch.nan))


def test_transforms_scale_crop_and_normalise():
    white = Image.new("RGB", (30, 20), "white")
    shortest = Transform(TransformSpec(resize=10, crop=8))(white)
    assert shortest.shape == (3, 8, 8)
    assert torch.allclose(shortest, torch.ones(3, 8, 8))  # (1 - 0.5) / 0.5
    squash = Transform(TransformSpec(resize=10, mode="squash", mean=(0, 0, 0), std=(1, 1, 1)))(
        white
    )
    assert squash.shape == (3, 10, 10)
    assert torch.allclose(squash, torch.ones(3, 10, 10))


def test_pixels_are_the_image():
    extractor = load(model_spec("pixels"))
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    features = extractor.forward(extractor.transform(red)[None])
    assert features.reshape(3, 256).mean(1).tolist() == [1.0, 0.0, 0.0]
    assert fingerprint_parts(model_spec("pixels"))["weights"] == {}


def test_fingerprints_tell_seeds_weights_and_transforms_apart():
    base = fingerprint_parts(small())
    assert base == fingerprint_parts(small(objective="Other", id="renamed"))
    assert base != fingerprint_parts(small(seed=1))
    assert base != fingerprint_parts(small(transform=TransformSpec(resize=32)))
    assert base != fingerprint_parts(small(options={"drop_rate": 0.1}))


def test_catalogue_lookup_and_checks():
    with pytest.raises(UserError, match="unknown model 'pixel'.*did you mean 'pixels'"):
        model_spec("pixel")
    with pytest.raises(UserError, match="unknown data set 'digit'.*did you mean 'digits'"):
        dataset_spec("digit")
    assert isinstance(dataset_spec("digits"), DatasetSpec)
    table = model_table(model_specs().values())
    assert list(table.index) == sorted(model_specs())
    assert table.loc["pixels", "family"] == "pixels"
    for bad in ({"kind": "hub"}, {"kind": "file"}, {"kind": "package", "package": "p"}):
        with pytest.raises(ValueError, match="need"):
            WeightsSpec(**bad)
    values = small().model_dump() | {"seed": None}
    with pytest.raises(ValueError, match="needs a 'seed'"):
        ModelSpec(**values)


@pytest.mark.parametrize("width", [None, 32])
def test_the_facts_of_zoo_architectures_are_those_of_the_built_encoders(width):
    from simcons.models.zoo.architectures import VisionTransformer, make_encoder
    from simcons.models.zoo.entry import zoo_model_spec
    from simcons.models.zoo.spec import ARCHITECTURES, ZooSpec

    for architecture in ARCHITECTURES:
        values = {"objective": "untrained", "architecture": architecture, "seed": 0, "width": width}
        entry = zoo_model_spec("control", ZooSpec.parse("control", values), "weights.safetensors")
        encoder = make_encoder(architecture, 32, width)
        assert entry.feature_dim == encoder.feature_dim
        transformer = isinstance(encoder.body, VisionTransformer)
        assert entry.architecture_class == ("Transformer" if transformer else "Convolutional")
        if width is None:
            assert entry.params == sum(p.numel() for p in encoder.parameters())


@pytest.mark.parametrize(
    ("objective", "label"),
    [("supervised", "Supervised"), ("simclr", "SimCLR"), ("vicreg", "VICReg"),
     ("denoising", "Denoising"), ("masked_autoencoder", "Masked autoencoder"),
     ("image_text", "Image-Text"), ("rotation", "Rotation"), ("untrained", "Untrained")],
)  # fmt: skip
def test_objectives_are_named_for_people(objective, label):
    from simcons.models.zoo.entry import zoo_model_spec
    from simcons.models.zoo.spec import ZooSpec

    values = {"objective": objective, "architecture": "conv_small", "seed": 0}
    if objective != "untrained":
        values |= {"training_sets": ["digits"], "epochs": 1}
    assert zoo_model_spec("m", ZooSpec.parse("m", values), "w").objective == label


def test_a_family_is_what_differs_in_the_seed_alone():
    from simcons.models.zoo.entry import zoo_model_spec
    from simcons.models.zoo.spec import ZooSpec

    def family(**changes):
        values = {"objective": "untrained", "architecture": "conv_small", "seed": 0, **changes}
        return zoo_model_spec("m", ZooSpec.parse("m", values), "w").family

    assert family() == family(seed=1)
    assert family() != family(architecture="conv_wide")
    assert family() != family(width=32)
