"""The GPUs of a machine are found by nvidia-smi, or named by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphics import put_nvidia_smi

from aml_jupyter.errors import ComputeTargetException
from aml_jupyter.targets import gpus
from aml_jupyter.targets.gpus import Gpu, GpuFinder, gpu_names, gpus_here


@pytest.fixture(autouse=True)
def _nothing_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AML_GPUS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def _ids(setting: object = None) -> list[str]:
    found = gpus_here(setting)
    assert found is not None
    return [gpu.id for gpu in found]


def test_nvidia_smi_says_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = put_nvidia_smi(monkeypatch, tmp_path / "bin", 2)
    finder = GpuFinder()
    uuid = "GPU-11111111-2222-3333-4444-555555555555"
    assert (finder.found(20) or ())[1] == Gpu("1", "NVIDIA A100", 40960 * 2**20, uuid)
    assert len(finder.found(20) or ()) == 2
    assert asked.read_text() == "asked\n"


def test_a_hand_made_list_goes_before_what_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_nvidia_smi(monkeypatch, tmp_path / "bin", 4)
    assert _ids() == ["0", "1", "2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-3")
    assert _ids() == ["1", "3"]
    monkeypatch.setenv("AML_GPUS", "2")
    assert _ids() == ["0", "1"]
    monkeypatch.setenv("AML_GPUS", "3,GPU-11111111-2222-3333-4444-555555555555")
    assert _ids() == ["3", "1"]  # one GPU has one name, whatever it is called
    assert _ids("2,") == ["2"]
    assert _ids(0) == []
    assert [gpu.name for gpu in gpus_here("2,") or ()] == ["NVIDIA A100"]
    assert _ids(6) == ["0", "1", "2", "3", "4", "5"]


def test_an_nvidia_smi_that_fails_is_told_and_means_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver."
    put_nvidia_smi(monkeypatch, tmp_path / "bin", 0, then=f"echo '{said}'; exit 9")
    finder = GpuFinder()
    assert finder.found(20) == ()
    assert finder.problem == f"nvidia-smi ended with exit code 9: {said}"


def test_an_nvidia_smi_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    put_nvidia_smi(monkeypatch, tmp_path / "bin", 1, then=f"while [ ! -e {gate} ]; do sleep 0.02; done")
    finder = GpuFinder()
    assert finder.found(0.05) is None
    gate.touch()
    found = finder.found(20)
    assert found is not None and [gpu.id for gpu in found] == ["0"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (2, ("0", "1")),
        ("2", ("0", "1")),
        ("0,2", ("0", "2")),
        ("3,", ("3",)),
        (0, ()),
        ("GPU-1234abcd, 1", ("GPU-1234abcd", "1")),
    ],
)
def test_how_gpus_are_named(value: object, names: tuple[str, ...]) -> None:
    assert gpu_names("gpus", value) == names


@pytest.mark.parametrize("value", ["all", "-1", "0,0", "1.5", 1.5, True, "", ",", "../core-0", "0;1", 2000])
def test_what_names_no_gpu_is_refused(value: object) -> None:
    with pytest.raises(ComputeTargetException, match="how many GPUs there are"):
        gpu_names("gpus", value)


def test_a_wrong_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AML_GPUS", "two")
    with pytest.raises(ComputeTargetException, match="AML_GPUS is 'two'"):
        gpus_here(None)
    assert gpus.may_have_gpus(None)
