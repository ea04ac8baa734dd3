"""Compute targets are found, made, stopped and started as in SDK v1; what is to come says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import aml_jupyter.sdk as sdk
from aml_jupyter import ComputeInstance, ComputeTarget, ComputeTargetException, LocalCompute, ScriptRunConfig, Workspace

TO_COME = [
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchAiCompute",
    "BatchCompute",
    "DatabricksCompute",
    "HDInsightCompute",
]


def make(ws: Workspace, name: str = "ci-1", **settings: object) -> ComputeTarget:
    return ComputeTarget.create(ws, name, ComputeInstance.provisioning_configuration(**settings))  # type: ignore[arg-type]


def test_the_idiom_of_every_notebook(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ComputeTargetException, match="ComputeTargetNotFound: Compute Target with name ci-1 not found"):
        ComputeInstance(workspace=ws, name="ci-1")
    instance = make(ws, vm_size="STANDARD_D3_V2")
    instance.wait_for_completion(show_output=True)
    assert "Running" in capsys.readouterr().out
    found = ComputeTarget(workspace=ws, name="CI-1")
    assert type(found) is ComputeInstance
    assert found == instance
    assert type(ComputeTarget(ws, "local")) is LocalCompute
    assert sorted(ws.compute_targets) == ["ci-1", "local"]
    assert found.provisioning_errors is None
    data = found.serialize()
    assert (data["name"], data["type"], data["properties"]["vm_size"]) == ("ci-1", "computeinstance", "STANDARD_D3_V2")


def test_a_target_of_another_class_is_not_found(ws: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match=r"not found.*as a ComputeInstance: local is of type local"):
        ComputeInstance(ws, "local")


def test_nearest_names_are_said(ws: Workspace) -> None:
    make(ws, "gpu-box")
    with pytest.raises(ComputeTargetException, match="did you mean gpu-box"):
        ComputeTarget(ws, "gpu-bxo")


@pytest.mark.parametrize(
    "name", ["local", "amlcompute", "containerinstance", "ab", "x" * 25, "1ab", "a--b", "ab-", "a_bc"]
)
def test_names_that_are_refused(ws: Workspace, name: str) -> None:
    with pytest.raises(ComputeTargetException, match=f"'{name}'"):
        make(ws, name)
    assert list(ws.compute_targets) == ["local"]


def test_a_stopped_instance_keeps_its_queue(ws: Workspace, configure: Callable[..., ScriptRunConfig]) -> None:
    instance = make(ws)
    assert isinstance(instance, ComputeInstance)
    instance.stop(wait_for_completion=True)
    assert instance.get_status().state == "Stopped"
    config = configure("print('after the start')")
    config.run_config.target = instance
    run = sdk.Experiment(ws, "compute").submit(config)
    assert run.status == "Queued"
    instance.start(wait_for_completion=True)
    assert instance.provisioning_state == "Running"
    assert run.wait_for_completion()["target"] == "ci-1"
    instance.restart(wait_for_completion=True)
    assert instance.status.serialize()["state"] == "Running"


def test_a_deleted_target_is_gone(ws: Workspace) -> None:
    instance = make(ws)
    instance.delete()
    instance.wait_for_completion(show_output=True, is_delete_operation=True)
    assert list(ws.compute_targets) == ["local"]
    with pytest.raises(ComputeTargetException, match="ComputeTargetNotFound"):
        instance.refresh_state()
    with pytest.raises(ComputeTargetException, match="created: use delete"):
        make(ws).detach()
    with pytest.raises(ComputeTargetException, match="local"):
        ComputeTarget(ws, "local").delete()


def test_settings_can_be_changed(ws: Workspace) -> None:
    instance = make(ws)
    instance.update(max_parallel=3)
    assert instance.serialize()["properties"]["max_parallel"] == 3
    with pytest.raises(ComputeTargetException, match="max_paralel"):
        instance.update(max_paralel=3)


@pytest.mark.parametrize("name", TO_COME)
def test_classes_to_come_refuse_by_name(ws: Workspace, name: str) -> None:
    kind = getattr(sdk, name)
    why = "refused: the service was retired on 29 February 2024" if name == "AdlaCompute" else "not built yet"
    with pytest.raises(ComputeTargetException, match="ComputeTargetNotFound"):
        kind(ws, "box")
    with pytest.raises(ComputeTargetException, match=f"{name}: create is {why}.*ComputeInstance"):
        kind.create(ws, "box", kind.provisioning_configuration(vm_size="x", max_nodes=4))
    with pytest.raises(ComputeTargetException, match=f"{name}: attach is {why}"):
        kind.attach(ws, name="box", username="u", address="a", ssh_port=22, password="p")
    with pytest.raises(ComputeTargetException, match=f"attach is {why}"):
        ComputeTarget.attach(ws, "box", kind.attach_configuration(resource_id="r", password="p"))
    with pytest.raises(ComputeTargetException, match=r"cannot be created|not created"):
        ComputeTarget.create(ws, "box", kind.provisioning_configuration())
    assert list(ws.compute_targets) == ["local"]


def test_a_wrong_configuration_is_named(ws: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match="provisioning_configuration is dict"):
        ComputeTarget.create(ws, "box", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "port", "found"),
    [
        ("box", 22, "box"),
        ("box", 2222, "box:2222"),
        ("ml@box:2200", 2222, "ml@box:2200"),
        ("fe80::1", 2222, "[fe80::1]:2222"),
        ("[fe80::1]", 2222, "[fe80::1]:2222"),
        ("[fe80::1]:2200", 2222, "[fe80::1]:2200"),
        ("ssh://box", 2222, "ssh://box:2222"),
        ("ssh://box:77", 2222, "ssh://box:77"),
    ],
)
def test_the_port_of_a_machine_stands_behind_its_address(address: str, port: int, found: str) -> None:
    assert sdk.RemoteCompute.attach_configuration(address=address, ssh_port=port).settings["address"] == found
