"""Checkpoints in their authors' own layouts, made here, loaded strictly or refused by name."""

from __future__ import annotations

import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from simcons.catalog import ModelSpec, WeightsSpec, model_spec
from simcons.core.errors import UserError
from simcons.core.files import sha256_file
from simcons.models import fingerprint_parts, load

Tensors = dict[str, torch.Tensor]


def entry(model: str, name: str, dim: int, path, **weights) -> ModelSpec:
    """A model of the catalogue, made small, whose weights lie in a local file."""
    spec = model_spec(model)
    kept = {k: getattr(spec.weights, k) for k in ("key", "prefix", "ignore")}
    chosen = WeightsSpec(kind="file", path=str(path), **{**kept, **weights})
    return spec.model_copy(update={"name": name, "feature_dim": dim, "weights": chosen})


def features(spec: ModelSpec) -> torch.Tensor:
    torch.manual_seed(7)
    return load(spec).forward(torch.rand(2, 3, 224, 224))


def expected(network: torch.nn.Module) -> torch.Tensor:
    torch.manual_seed(7)
    with torch.inference_mode():
        return network.eval()(torch.rand(2, 3, 224, 224))


@pytest.fixture
def resnet():
    """A ResNet-18 of torchvision without its head, with weights and statistics of its own."""
    torch.manual_seed(3)
    network = torchvision.models.resnet18()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
    network.fc = torch.nn.Identity()
    return network


def vissl(trunk: Tensors) -> dict:
    """The layout of VISSL: the trunk deep inside, beside the head and the state of training."""
    model = {
        "trunk": {f"_feature_blocks.{name}": v for name, v in trunk.items()},
        "heads": {"0.clf.0.weight": torch.zeros(128, 512)},
    }
    return {
        "phase_idx": 799,
        "iteration_num": 250_000,
        "loss": np.float64(5.5),
        "train_phase_idx": 799,
        "classy_state_dict": {
            "train": True,
            "base_model": {"model": model, "meters": {}},
            "optimizer": {"optim": {"state": {0: {"momentum_buffer": torch.zeros(3)}}}},
        },
    }


VISSL = ["jigsaw-rn50", "mocov2-rn50", "pirl-rn50", "rotnet-rn50", "simclr-rn50", "swav-rn50"]


def test_vissl_trunks(resnet, tmp_path):
    path = tmp_path / "model_final_checkpoint_phase799.torch"
    torch.save(vissl(resnet.state_dict()), path)
    found = [features(entry(model, "resnet18", 512, path)) for model in VISSL]
    for one in found:
        assert torch.allclose(one, expected(resnet), atol=1e-5)


def test_numbers_saved_by_numpy_1_are_read(resnet, tmp_path):
    new, old = tmp_path / "new.torch", tmp_path / "old.torch"
    torch.save(vissl(resnet.state_dict()), new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                assert b"cnumpy._core.multiarray\n" in data
                data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            target.writestr(name, data)
    spec = entry("simclr-rn50", "resnet18", 512, old)
    assert torch.allclose(features(spec), expected(resnet), atol=1e-5)


@pytest.mark.parametrize("model", ["barlowtwins-rn50", "vicreg-rn50", "dino-rn50"])
@pytest.mark.parametrize("counters", [True, False])
def test_plain_trunks_of_a_resnet(resnet, tmp_path, model, counters):
    state = {k: v for k, v in resnet.state_dict().items() if counters or "num_batches" not in k}
    if model == "dino-rn50":
        state["fc.weight"] = torch.zeros(4, 512)  # its authors load it without looking
    torch.save(OrderedDict(state), tmp_path / "resnet.pth")
    found = features(entry(model, "resnet18", 512, tmp_path / "resnet.pth"))
    assert torch.allclose(found, expected(resnet), atol=1e-5)


def vit(dim: int, depth: int, patch: int, n_positions: int, *, scale: bool = False) -> Tensors:
    """Random weights under the names that DINO, DINOv2 and MAE share."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.05

    def affine(name: str, n_out: int, n_in: int) -> Tensors:
        return {f"{name}.weight": draw(n_out, n_in), f"{name}.bias": draw(n_out)}

    def norm(name: str) -> Tensors:
        return {f"{name}.weight": 1 + draw(dim), f"{name}.bias": draw(dim)}

    state = {"cls_token": draw(1, 1, dim), "pos_embed": draw(1, n_positions, dim)}
    state["patch_embed.proj.weight"] = draw(dim, 3, patch, patch)
    state["patch_embed.proj.bias"] = draw(dim)
    for i in range(depth):
        block = f"blocks.{i}"
        state |= norm(f"{block}.norm1") | affine(f"{block}.attn.qkv", 3 * dim, dim)
        state |= affine(f"{block}.attn.proj", dim, dim) | norm(f"{block}.norm2")
        state |= affine(f"{block}.mlp.fc1", 4 * dim, dim) | affine(f"{block}.mlp.fc2", dim, 4 * dim)
        if scale:
            state |= {f"{block}.ls{n}.gamma": draw(dim) for n in (1, 2)}
    return state | norm("norm")


def plain_vit(state: Tensors, batch: torch.Tensor, depth: int, heads: int) -> torch.Tensor:
    """The class token after the final norm, step by step."""
    linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
    dim = state["cls_token"].shape[-1]

    def normed(x, name):
        return norm(x, (dim,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def affine(x, name):
        return linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    weight = state["patch_embed.proj.weight"]
    patches = torch.nn.functional.conv2d(
        batch, weight, state["patch_embed.proj.bias"], stride=weight.shape[-1]
    )
    tokens = patches.flatten(2).transpose(1, 2)
    x = torch.cat([state["cls_token"].expand(len(batch), -1, -1), tokens], 1) + state["pos_embed"]
    for i in range(depth):
        qkv = affine(normed(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv")
        q, k, v = qkv.reshape(*x.shape[:2], 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / (dim // heads) ** 0.5).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        x = x + affine(mixed, f"blocks.{i}.attn.proj")
        hidden = affine(normed(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")
        x = x + affine(torch.nn.functional.gelu(hidden), f"blocks.{i}.mlp.fc2")
    return normed(x, "norm")[:, 0]


@pytest.mark.parametrize("layout", ["dino", "dino_training", "mae", "mae_decoder"])
def test_vits_of_dino_and_mae(tmp_path, layout):
    state = vit(192, 12, 16, 197)
    saved = {
        "dino": state,
        "dino_training": {
            "teacher": {f"backbone.{k}": v for k, v in state.items()}
            | {"head.mlp.0.weight": torch.zeros(2, 2)},
            "epoch": 100,
        },
        "mae": {"model": state},
        "mae_decoder": {"model": state | {"decoder_pred.weight": torch.zeros(2, 2)}, "epoch": 800},
    }[layout]
    weights = {
        "dino_training": {"key": "teacher", "prefix": "backbone.", "ignore": ("head.",)},
        "mae_decoder": {"ignore": ("decoder_",)},
    }.get(layout, {})
    torch.save(saved, tmp_path / "vit.pth")
    model = "dino-vit-base-p16" if "dino" in layout else "mae-vit-base-p16"
    spec = entry(model, "vit_tiny_patch16_224", 192, tmp_path / "vit.pth", **weights)
    torch.manual_seed(7)
    batch = torch.rand(2, 3, 224, 224)
    assert torch.allclose(features(spec), plain_vit(state, batch, 12, 3), atol=1e-4)


@pytest.mark.parametrize("registers", [False, True])
def test_dinov2_at_another_image_size(tmp_path, registers):
    state = vit(384, 12, 14, 1 + 37 * 37, scale=True) | {"mask_token": torch.zeros(1, 384)}
    model, name = "dinov2-vit-small-p14", "vit_small_patch14_dinov2"
    if registers:
        state["register_tokens"] = torch.full((1, 4, 384), 0.1)
        model, name = "vit_small_patch14_reg4_dinov2.lvd142m", "vit_small_patch14_reg4_dinov2"
    torch.save(state, tmp_path / "dinov2.pth")
    spec = entry(model, name, 384, tmp_path / "dinov2.pth")
    network = load(spec).module.network
    assert torch.equal(network.blocks[11].ls2.gamma, state["blocks.11.ls2.gamma"])
    assert network.pos_embed.shape[1] == 256 + (not registers)
    assert spec.options == {"img_size": 224}
    first = network.cls_token + (0 if registers else network.pos_embed[:, :1])
    assert torch.allclose(first, state["cls_token"] + state["pos_embed"][:, :1], atol=1e-6)
    assert features(spec).shape == (2, 384)


def test_xcit_of_dino(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("xcit_nano_12_p16_224", num_classes=0)
    original: Tensors = {}
    for name, value in network.state_dict().items():
        if ".attn.q." in name and name.startswith("cls_attn_blocks"):
            parts = [network.state_dict()[name.replace(".q.", f".{letter}.")] for letter in "qkv"]
            original[name.replace(".q.", ".qkv.")] = torch.cat(parts)
        elif not (name.startswith("cls_attn_blocks") and (".k." in name or ".v." in name)):
            original[name.replace("pos_embed.", "pos_embeder.")] = value
    assert any("cls_attn_blocks.0.attn.qkv.weight" in name for name in original)
    torch.save(original, tmp_path / "xcit.pth")
    spec = entry("dino-xcit-small-12-p16", "xcit_nano_12_p16_224", 128, tmp_path / "xcit.pth")
    assert torch.allclose(features(spec), expected(network), atol=1e-4)


def test_a_users_checkpoint_of_a_timm_architecture_may_have_another_head(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("mobilenetv3_small_050", num_classes=7).eval()
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    spec = entry("untrained_mobilenetv3_small", "mobilenetv3_small_050", 1024, tmp_path / "x")
    weights = WeightsSpec(kind="file", path=str(tmp_path / "mine.safetensors"))
    network.reset_classifier(0)
    spec = spec.model_copy(update={"weights": weights})
    assert torch.allclose(features(spec), expected(network), atol=1e-5)


def test_files_that_do_not_fit_are_named(resnet, tmp_path):
    path = tmp_path / "net.pth"
    spec = entry("vicreg-rn50", "resnet18", 512, path)
    trunk = entry("simclr-rn50", "resnet18", 512, path)
    state = resnet.state_dict()

    def refused(value, message, spec=spec):
        torch.save(value, path)
        with pytest.raises(UserError, match=message):
            load(spec)

    lacking = {k: v for k, v in state.items() if not k.startswith("layer4.1.conv")}
    refused(lacking, r"'vicreg-rn50': .*net\.pth does not fit 'resnet18': tensors 2 missing "
            r"\('layer4.1.conv1.weight', 'layer4.1.conv2.weight'\)$")  # fmt: skip
    refused(state | {"extra": torch.zeros(1)}, r"1 left over \('extra'\)")
    refused(state | {"conv1.weight": torch.zeros(1)}, r"'conv1.weight' \(1,\) for \(64, 3, 7, 7\)")
    refused(
        {"online": state, "epoch": 3}, r"'online' is no tensor.*\('key'\)\? It holds: online, epoch"
    )
    refused([1, 2], "holds a list, not named tensors")
    refused({"classy_state": {}}, "no map 'classy_state_dict' of key", trunk)
    broken = vissl(state)
    broken["classy_state_dict"]["base_model"]["model"]["trunk"]["odd.weight"] = torch.zeros(1)
    refused(broken, "tensor 'odd.weight' does not begin with '_feature_blocks.'", trunk)


def test_damaged_and_foreign_files_are_named(resnet, tmp_path):
    path = tmp_path / "net.pth"
    torch.save(resnet.state_dict(), path)
    digest = sha256_file(path)
    spec = entry("vicreg-rn50", "resnet18", 512, path, sha256=digest)
    assert fingerprint_parts(spec)["weights"] == {"sha256": digest, "match": "name"}
    path = tmp_path / "cut.pth"
    path.write_bytes((tmp_path / "net.pth").read_bytes()[:1_000_000])
    with pytest.raises(UserError, match=r"cut\.pth has SHA-256"):
        load(entry("vicreg-rn50", "resnet18", 512, path, sha256=digest))
    with pytest.raises(UserError, match=r"cut\.pth: cannot be read as weights"):
        load(entry("vicreg-rn50", "resnet18", 512, path))


def test_a_checkpoint_with_an_address_is_downloaded_into_torchs_cache(
    resnet, tmp_path, monkeypatch
):
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path / "site")

        def log_message(self, *args):
            pass

    (tmp_path / "site" / "vicreg").mkdir(parents=True)
    torch.save(resnet.state_dict(), tmp_path / "site" / "vicreg" / "resnet.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/vicreg/resnet.pth"
        spec = entry("vicreg-rn50", "resnet18", 512, "unused")
        spec = spec.model_copy(update={"weights": WeightsSpec(kind="url", url=url)})
        assert fingerprint_parts(spec)["weights"] == {"url": url, "match": "name"}
        assert not (tmp_path / "torch").exists(), "a fingerprint downloads nothing"
        assert torch.allclose(features(spec), expected(resnet), atol=1e-5)
    finally:
        server.shutdown()
        server.server_close()
    assert torch.allclose(features(spec), expected(resnet), atol=1e-5), "the server is gone"
    kept = tmp_path / "torch" / "hub" / "checkpoints"
    assert [p.name for p in kept.rglob("*.pth")] == ["resnet.pth"]
    wrong = WeightsSpec(kind="url", url=url, sha256="0" * 64)
    with pytest.raises(UserError, match="the file is damaged or another one"):
        load(spec.model_copy(update={"weights": wrong}))


def test_the_checkpoints_of_the_paper_have_addresses_of_their_own():
    urls = [
        spec.weights.url
        for spec in map(model_spec, [*VISSL, "vicreg-rn50", "barlowtwins-rn50", "dino-rn50"])
    ]
    assert len(set(urls)) == 9
    assert all(url.startswith("https://dl.fbaipublicfiles.com/") for url in urls)
