"""Named layers and tokens, against a plain forward pass."""

from __future__ import annotations

import pytest
import timm
import torch

from simcons.catalog import model_spec
from simcons.core.errors import UserError
from simcons.models import load
from simcons.models.readout import POOLED, Point, Readout, read_layers, select


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", img_size=48, num_classes=0).eval()


@pytest.fixture(scope="module")
def batch():
    return torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_tokens_and_layers_are_those_of_a_plain_forward(vit, batch):
    tokens = vit.forward_features(batch)
    middle = vit.norm_pre(vit.pos_drop(vit._pos_embed(vit.patch_embed(batch))))
    for block in vit.blocks[:6]:
        middle = block(middle)
    wanted = {
        Point("norm", "cls"): tokens[:, 0],
        Point("norm", "avg"): tokens[:, 1:].mean(1),
        Point("norm", "cls+avg"): torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1),
        Point("norm"): tokens.flatten(1),
        Point("blocks.5", "cls"): middle[:, 0],
        Point(POOLED): vit(batch),
    }
    together = read_layers(vit, batch, list(wanted))
    for (point, value), shared in zip(wanted.items(), together, strict=True):
        assert torch.equal(Readout(vit, point)(batch), value), point
        assert torch.equal(shared, value), point


def test_no_hook_is_left_behind(vit, batch):
    def n_hooks() -> int:
        return sum(len(part._forward_hooks) for part in vit.modules())

    read_layers(vit, batch, [Point("norm", "cls")])
    with pytest.raises(RuntimeError, match="channels"):
        read_layers(vit, batch[:, :1], [Point("norm", "cls")])
    assert n_hooks() == 0


def test_what_a_later_module_does_in_place_is_not_read(batch):
    linear = torch.nn.Linear(3 * 48 * 48, 5)
    network = torch.nn.Sequential(torch.nn.Flatten(), linear, torch.nn.ReLU(inplace=True))
    found = Readout(network, Point("1"))(batch)
    assert torch.equal(found, linear(batch.flatten(1)))
    assert (found < 0).any()


class Tokens(torch.nn.Module):
    """A network of tokens, with registers before those of the patches."""

    def __init__(self, n_prefix: int, cls: bool) -> None:
        super().__init__()
        self.num_prefix_tokens = n_prefix
        self.cls_token = torch.nn.Parameter(torch.zeros(1)) if cls else None
        self.trunk = torch.nn.Identity()

    def forward(self, batch):
        return self.trunk(batch)


def test_registers_are_not_averaged():
    tokens = torch.arange(24.0).reshape(1, 6, 4)
    found = Readout(Tokens(3, cls=True), Point("trunk", "avg"))(tokens)
    assert torch.equal(found, tokens[:, 3:].mean(1))
    around = torch.nn.Sequential(Tokens(3, cls=True))
    assert torch.equal(Readout(around, Point("0.trunk", "avg"))(tokens), found)
    assert torch.equal(Readout(Tokens(0, cls=False), Point("trunk", "avg"))(tokens), tokens.mean(1))


def test_convolutional_maps_are_averaged_over_space():
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(select(maps, Point("x", "avg")), maps.mean((2, 3)))
    assert torch.equal(select(maps, Point("x")), maps.flatten(1))


@pytest.mark.parametrize(
    ("network", "point", "message"),
    [
        (Tokens(1, cls=True), Point("trnk"), "no layer 'trnk': did you mean 'trunk'"),
        (Tokens(4, cls=False), Point("trunk", "cls"), "has no class token"),
        (Tokens(0, cls=False), Point(POOLED, "cls+avg"), "has no class token"),
    ],
)
def test_points_that_a_network_has_not_are_refused(network, point, message):
    with pytest.raises(UserError, match=message):
        Readout(network, point)


def test_outputs_that_are_no_tokens_are_refused():
    network = torch.nn.Sequential(torch.nn.Identity())
    with pytest.raises(UserError, match=r"shape \(2, 3\), but token 'cls' needs"):
        Readout(network, Point("0", "cls"))(torch.zeros(2, 3))
    unused = torch.nn.Sequential(torch.nn.Identity())
    unused.forward = lambda batch: batch
    with pytest.raises(UserError, match="'0' takes no part in the network's forward pass"):
        Readout(unused, Point("0"))(torch.zeros(2, 3))


def test_a_catalogue_entry_chooses_layer_and_token():
    spec = model_spec("untrained_vit_tiny")
    block = spec.model_copy(update={"layer": "blocks.5", "token": "cls+avg", "feature_dim": 384})
    assert load(block).forward(torch.rand(2, 3, 48, 48)).shape == (2, 384)
    with pytest.raises(UserError, match=r"'untrained_vit_tiny' returned .* \(1, 192\).*\(1, 99\)"):
        load(spec.model_copy(update={"feature_dim": 99}))
    with pytest.raises(UserError, match="'untrained_vit_tiny': the network has no layer 'nrom'"):
        load(spec.model_copy(update={"layer": "nrom"}))
