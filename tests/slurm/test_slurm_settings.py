"""slurm.yaml: what is allowed, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcons.core.errors import UserError
from simcons.slurm.settings import load_settings

ROOT = Path(__file__).parents[2]


def load(tmp_path: Path, text: str):
    path = tmp_path / "slurm.yaml"
    path.write_text(text)
    return load_settings(path)


def test_the_example_is_valid_and_explains_every_key():
    settings = load_settings(ROOT / "slurm.yaml.example")
    assert set(settings.resources) == {"light", "cpu", "gpu"}
    assert settings.arrays["features"].throttle == 8
    text = (ROOT / "slurm.yaml.example").read_text()
    keys = [*type(settings).model_fields, *type(settings.of("gpu")).model_fields]
    keys += type(settings.arrays["features"]).model_fields
    assert [key for key in keys if f"{key}:" not in text] == []


def test_numbers_of_minutes_and_megabytes_and_empty_classes(tmp_path):
    settings = load(tmp_path, "resources: {cpu: {time: 90, memory: 4000}, light: }")
    assert (settings.of("cpu").time, settings.of("cpu").memory) == ("90", "4000")
    assert settings.of("light").partition is None


CPU = "resources: {cpu: {%s}}"
WITH_ARRAY = "resources: {cpu: {}}\narrays: {%s: {groups: 2}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CPU % "partitoin: a", "unknown key 'resources.cpu.partitoin': did you mean 'partition'"),
        ("resources: {gup: {}}", "unknown key 'resources.gup': did you mean 'gpu'"),
        (WITH_ARRAY % "probes", "unknown key 'arrays.probes': did you mean 'probe'"),
        (CPU % "time: soon", "resources.cpu.time: got 'soon'; allowed: minutes"),
        (CPU % "partition: 'a b'", "resources.cpu.partition: got 'a b'; allowed: one word"),
        (CPU % 'account: "a\\n#SBATCH --uid=0"', "resources.cpu.account: got"),
        (CPU % "sbatch: [nice]", "resources.cpu.sbatch: got 'nice'; allowed: long options"),
        (CPU % "cpus: 0", "resources.cpu.cpus: got 0"),
        (CPU % "environment: 'a=1'", "resources.cpu.environment: got 'a=1'"),
        (WITH_ARRAY % "probe", "arrays.probe.assemble is 'light', which has no entry"),
        ("arrays: {}", "key 'resources' is missing"),
        (CPU % "" + "\npoll: 0", "poll: got 0"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "slurm.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"copy slurm\.yaml\.example to slurm\.yaml"):
        load_settings(tmp_path / "slurm.yaml")


def test_a_class_without_an_entry_is_named(tmp_path):
    with pytest.raises(UserError, match="no entry for 'gpu'"):
        load(tmp_path, "resources: {cpu: {}}").of("gpu")
