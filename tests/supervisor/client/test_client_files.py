"""Uploaded files are copied whole before anybody hears of them; names cannot lead elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from supervisor.client.inrun import Attempt, Responder, record

from aml_jupyter.supervisor import protocol
from aml_jupyter.supervisor.client import UserErrorException
from aml_jupyter.supervisor.client.artifacts import artifact_name, check_file, image_kind

Respond = Callable[..., Responder]


@pytest.mark.parametrize(
    "name", ["", ".", "/etc/passwd", "../x", "a/../../x", "a\\..\\x", "C:\\x", "\\\\host\\x", "a\0b"]
)
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(UserErrorException, match="expected a relative path"):
        artifact_name(name)


def test_names_are_tidied() -> None:
    assert artifact_name("./outputs//model.pkl") == "outputs/model.pkl"


def test_what_cannot_be_uploaded(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserErrorException, match="upload_folder"):
        check_file(tmp_path)
    with pytest.raises(UserErrorException, match="not a regular file"):
        check_file(tmp_path / "pipe")
    with pytest.raises(UserErrorException, match="No such file"):
        check_file(tmp_path / "none")


def test_images_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x"
    for content, kind in ((b"\x89PNG\r\n\x1a\nrest", "png"), (b"RIFF....WEBPVP8", "webp"), (b"\n <svg/>", "svg")):
        file.write_bytes(content)
        assert image_kind(str(file)) == kind
    file.write_bytes(b"text")
    with pytest.raises(UserErrorException, match="is not an image"):
        image_kind(str(file))


def test_uploads(attempt: Attempt) -> None:
    attempt.run(
        """
        import io, os
        from azureml.core import Run
        run = Run.get_context()
        os.makedirs("data/deep")
        for name in ("a", "deep/b"):
            with open(os.path.join("data", name), "w") as stream:
                stream.write(name)
        os.mkfifo("data/pipe")
        run.upload_file("outputs/a", "data/a")
        run.upload_file("stream", io.BytesIO(b"bytes"))
        run.upload_files(["x", "y"], ["data/a", "data/deep/b"])
        run.upload_folder("folder", "data")
        for names, paths in ((["x"], []),):
            try:
                run.upload_files(names, paths)
            except TypeError as error:
                print(error)
        try:
            run.upload_files(["first", "../out"], ["data/a", "data/a"])
        except Exception as error:
            print(error)
        """
    )
    stored = attempt.control / protocol.ARTIFACTS
    assert {event["n"]: event["size"] for event in attempt.of_kind("artifact")} == {
        "outputs/a": 1,
        "stream": 5,
        "x": 1,
        "y": 6,
        "folder/a": 1,
        "folder/deep/b": 6,
    }
    for event in attempt.of_kind("artifact"):
        assert (stored / event["p"]).stat().st_size == event["size"]
    assert not (stored / "first").exists() and not list((attempt.control / "partial").iterdir())


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_killed_upload_is_never_half_there(attempt: Attempt, tmp_path: Path, side: str) -> None:
    token = tmp_path / "token"
    token.write_text("")
    process = attempt.start(
        """
        import io
        from azureml.core import Run
        Run.get_context().upload_file("big", io.BytesIO(b"x" * 3000000))
        """,
        AML_FAULT_POINT="client.artifact",
        AML_FAULT_SIDE=side,
        AML_FAULT_TOKEN=str(token),
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    stored = attempt.control / protocol.ARTIFACTS / "big"
    assert (stored.stat().st_size == 3000000) if side == "after" else not stored.exists()
    assert attempt.events() == []


def test_images(attempt: Attempt) -> None:
    attempt.run(
        """
        from azureml.core import Run
        class Plot:
            def savefig(self, where, format=None):
                where.write(b"\\x89PNG\\r\\n\\x1a\\n")
        run = Run.get_context()
        for _ in range(3):
            run.log_image("curve", plot=Plot())
        with open("own.png", "wb") as stream:
            stream.write(b"\\x89PNG\\r\\n\\x1a\\n")
        run.log_image("own", path="own.png")
        """
    )
    images = attempt.of_kind("image")
    assert len({event["a"] for event in images}) == 4, "plots of one second keep names of their own"
    assert images[-1]["a"] == "own.png" and images[0]["a"].startswith("curve_")
    assert [event["n"] for event in attempt.of_kind("artifact")] == [event["a"] for event in images]


def test_downloads(attempt: Attempt, respond: Respond) -> None:
    elsewhere = attempt.control / "replies" / "sent"

    def fetch(args: dict[str, str]) -> dict[str, str]:
        elsewhere.write_text(args["id"] + " " + args["name"])
        return {"path": "replies/sent"}

    respond(
        get_run=lambda args: record(parent="exp_0_parent"),
        list_files=lambda args: ["outputs/a", "outputs/b", "logs/c"],
        fetch_file=fetch,
    )
    out = attempt.run(
        """
        import io
        from azureml.core import Run
        run = Run.get_context()
        run.upload_file("mine", io.StringIO("own"))
        run.download_file("mine", "got/mine")
        run.parent.download_file("outputs/model")
        run.parent.download_files("outputs", "all", append_prefix=False)
        print(open("got/mine").read(), open("model").read(), open("all/a").read(), open("all/b").read())
        """
    )
    assert out == "own exp_0_parent outputs/model exp_0_parent outputs/a exp_0_parent outputs/b\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving up root needs root")
def test_a_folder_that_cannot_be_written_says_so(attempt: Attempt, tmp_path: Path) -> None:
    out = attempt.run(
        """
        import io, os
        from azureml.core import Run
        run = Run.get_context()
        os.setuid(65534)
        try:
            run.upload_file("a", io.BytesIO(b"x"))
        except Exception as error:
            print(type(error).__name__, error)
        run.log("goes on", 1)
        """
    )
    assert out.startswith("AmlError the file a could not be kept in") and "Permission denied" in out
