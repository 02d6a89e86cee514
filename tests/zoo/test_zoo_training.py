"""Training: gradients arrive, losses fall, bytes repeat, heads are thrown away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from simcons.core.errors import UserError
from simcons.models.zoo.architectures import make_encoder
from simcons.models.zoo.data import TrainingData
from simcons.models.zoo.heads import Batch, Heads, Task
from simcons.models.zoo.objectives import objective_names
from simcons.models.zoo.spec import ARCHITECTURES, Optimizer, ZooSpec
from simcons.models.zoo.trained import load_encoder, save
from simcons.models.zoo.training import build_encoder, build_heads, learning_rate, train

MakeSpec = Callable[..., ZooSpec]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_encoders_have_the_promised_shapes_and_size(architecture: str) -> None:
    encoder = make_encoder(architecture, 32).eval()
    images = torch.randn(3, 3, 32, 32)
    features = encoder(images)
    assert features.shape == (3, encoder.feature_dim)
    cells = encoder.feature_map(images)
    assert cells.shape == (3, encoder.feature_dim, encoder.grid, encoder.grid)
    torch.testing.assert_close(cells.mean((2, 3)), features)
    # Brightness and contrast are no part of what an image shows.
    torch.testing.assert_close(encoder(0.5 * images + 0.3), features, atol=0.02, rtol=0.02)
    assert 50_000 < sum(p.numel() for p in encoder.parameters()) < 400_000


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("objective", objective_names())
def test_every_gradient_reaches_the_encoder(
    make_spec: MakeSpec, objective: str, architecture: str
) -> None:
    spec = make_spec(objective=objective, architecture=architecture, width=32)
    encoder = build_encoder(spec).train()
    heads = build_heads(spec, encoder, Task(("a", "b"), 32))
    generator = torch.Generator().manual_seed(0)
    batch = Batch(
        lambda: torch.randn(8, 3, 32, 32, generator=generator), torch.arange(8) % 2, generator
    )
    heads.step(encoder, batch).loss.backward()
    for module in (encoder, heads):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
    assert all(p.grad.abs().sum() > 0 for p in encoder.parameters() if p.ndim > 1)  # type: ignore[union-attr]


@pytest.mark.parametrize("objective", objective_names())
def test_thirty_steps_lower_the_loss(
    data: TrainingData, make_spec: MakeSpec, objective: str
) -> None:
    spec = make_spec(objective=objective, epochs=6, batch_size=32, augmentations={})
    curve = train(spec, data).curve
    assert list(curve["epoch"]) == [1, 2, 3, 4, 5, 6]
    assert curve["loss"].iloc[-1] < 0.97 * curve["loss"].iloc[0]
    assert curve["learning_rate"].iloc[-1] < 0.1 * spec.optimizer.learning_rate
    if objective in ("supervised", "simclr", "rotation"):
        assert curve["accuracy"].between(0, 1).all()
    else:
        assert curve["accuracy"].isna().all()


def test_supervised_training_learns_the_stripes(data: TrainingData, make_spec: MakeSpec) -> None:
    curve = train(make_spec(epochs=6), data).curve
    assert curve["accuracy"].iloc[-1] > 0.9


@pytest.mark.parametrize("objective", ["image_text", "simclr", "denoising"])
def test_two_runs_give_the_same_bytes(
    tmp_path: Path, data: TrainingData, make_spec: MakeSpec, objective: str
) -> None:
    spec = make_spec(objective=objective, architecture="vit_small", width=32)
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    curves = []
    for i, file in enumerate(files):
        torch.manual_seed(i)  # the global random state must not matter
        model = train(spec, data)
        save(file, model, spec)
        curves.append(model.curve.to_csv())
    assert files[0].read_bytes() == files[1].read_bytes()
    assert curves[0] == curves[1]
    other = train(make_spec(objective=objective, architecture="vit_small", width=32, seed=1), data)
    assert not torch.equal(other.state_dict["body.positions"], model.state_dict["body.positions"])


def test_threads_and_random_state_are_put_back(data: TrainingData, make_spec: MakeSpec) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train(make_spec(), data, threads=1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_decides_the_initial_weights_and_objectives_do_not_share_them(
    make_spec: MakeSpec,
) -> None:
    def first(**changes: object) -> torch.Tensor:
        return next(build_encoder(make_spec(**changes)).parameters())

    assert torch.equal(first(), first())
    assert not torch.equal(first(), first(seed=1))
    assert not torch.equal(first(), first(objective="simclr"))


def test_heads_are_not_saved_and_weights_come_back(
    tmp_path: Path, data: TrainingData, make_spec: MakeSpec
) -> None:
    spec = make_spec(objective="simclr")
    model = train(spec, data)
    path = tmp_path / "w" / "weights.safetensors"
    save(path, model, spec, fingerprint="abc")
    assert set(load_file(path)) == set(build_encoder(spec).state_dict())
    encoder = load_encoder(path, spec)
    assert not encoder.training
    images = torch.randn(2, 3, 32, 32)
    fresh = build_encoder(spec).eval()
    assert not torch.allclose(encoder(images), fresh(images))
    fresh.load_state_dict(model.state_dict)
    torch.testing.assert_close(encoder(images), fresh(images))


def test_weights_of_another_spec_are_refused(
    tmp_path: Path, data: TrainingData, make_spec: MakeSpec
) -> None:
    path = tmp_path / "weights.safetensors"
    save(path, train(make_spec(), data), make_spec())
    with pytest.raises(UserError, match="holds a model with seed 0, the study asks for 1"):
        load_encoder(path, make_spec(seed=1))
    with pytest.raises(UserError, match=r"none\.safetensors: no such file; run `dvc repro`"):
        load_encoder(tmp_path / "none.safetensors", make_spec())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="not readable as safetensors"):
        load_encoder(path, make_spec())


def test_a_control_is_its_initial_weights(data: TrainingData) -> None:
    spec = ZooSpec(objective="untrained", architecture="vit_wide", seed=3)
    model = train(spec, data)
    assert model.curve.empty
    assert list(model.curve.columns) == ["epoch", "loss", "accuracy", "learning_rate"]
    for key, value in build_encoder(spec).state_dict().items():
        assert torch.equal(value, model.state_dict[key])


def test_training_on_too_few_or_other_images_is_refused(
    data: TrainingData, make_spec: MakeSpec
) -> None:
    with pytest.raises(UserError, match=r"m1: 160 training images are fewer than batch_size 200"):
        train(make_spec(batch_size=200), data, name="m1")
    with pytest.raises(UserError, match="images are 32x32, image_size is 24"):
        train(make_spec(image_size=24), data)


def test_a_loss_that_explodes_is_an_error(data: TrainingData, make_spec: MakeSpec) -> None:
    wild = {"name": "sgd", "learning_rate": 1e30}
    with pytest.raises(UserError, match=r"zoo model m2: the loss is .* lower optimizer\.learning"):
        train(make_spec(optimizer=wild, objective="denoising"), data, name="m2")


def test_sgd_trains(data: TrainingData, make_spec: MakeSpec) -> None:
    spec = make_spec(optimizer={"name": "sgd", "learning_rate": 0.05}, epochs=4)
    curve = train(spec, data).curve
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    how = Optimizer(learning_rate=2.0, warmup_fraction=0.2)
    rates = [learning_rate(step, 10, how) for step in range(10)]
    assert rates[:3] == [1.0, 2.0, 2.0]
    assert rates[6] == pytest.approx(1.0)
    assert np.all(np.diff(rates[2:]) < 0)
    assert learning_rate(0, 10, Optimizer(learning_rate=2.0, warmup_fraction=0)) == 2.0


def test_base_heads_have_no_loss(make_spec: MakeSpec) -> None:
    encoder = build_encoder(make_spec())
    batch = Batch(lambda: torch.zeros(1), torch.zeros(1), torch.Generator())
    with pytest.raises(NotImplementedError):
        Heads(encoder, Task(("a",), 32), {}).step(encoder, batch)
