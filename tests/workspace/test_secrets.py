"""Secrets: kept from other users, and out of everything else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from workspace_support import as_user, run_python

from aml_jupyter.errors import UserErrorException, WorkspaceException
from aml_jupyter.workspace import WorkspaceFolder, delete_secret, get_secret, set_secret

VALUE = "s3cr3t-värde-xyzzy"


def test_a_secret_is_kept_replaced_and_forgotten(folder: WorkspaceFolder) -> None:
    assert get_secret(folder, "db/password") is None
    set_secret(folder, "db/password", "old")
    set_secret(folder, "db/password", VALUE)
    assert get_secret(folder, "db/password") == VALUE
    assert get_secret(folder, "db") is None
    delete_secret(folder, "db/password")
    delete_secret(folder, "db/password")
    assert get_secret(folder, "db/password") is None


def test_nobody_else_can_read_it_and_it_is_nowhere_else(folder: WorkspaceFolder) -> None:
    old = os.umask(0)
    try:
        set_secret(folder, "../../token", VALUE)
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.layout.secrets.stat().st_mode) == 0o700
    (file,) = folder.layout.secrets.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with folder.store.transaction():
        pass
    folder.close()
    for path in folder.root.rglob("*"):
        if path.is_file() and path != file:
            assert VALUE.encode() not in path.read_bytes(), path


def test_a_folder_that_was_opened_up_is_closed_again(folder: WorkspaceFolder) -> None:
    folder.layout.secrets.mkdir(mode=0o755)
    set_secret(folder, "token", VALUE)
    assert stat.S_IMODE(folder.layout.secrets.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["", "x" * 128])
def test_names_are_checked(folder: WorkspaceFolder, name: str) -> None:
    with pytest.raises(UserErrorException, match="1 to 127 characters"):
        set_secret(folder, name, VALUE)


def test_longest_and_oddest_names_work(folder: WorkspaceFolder) -> None:
    for name in ("x" * 127, "ö" * 127, "a b/c:d*?", ".."):
        set_secret(folder, name, name)
        assert get_secret(folder, name) == name


def test_another_user_is_told_why(folder: WorkspaceFolder) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="aml-t-", dir="/tmp") as place:
        os.chmod(place, 0o755)
        mine = WorkspaceFolder.open(Path(place) / "w", create=True)
        set_secret(mine, "token", VALUE)
        said = as_user(65534, lambda: str(get_secret(mine, "token")))
        assert "cannot be read" in said and VALUE not in said
        mine.close()


KEYRING = """
import sys
import keyring.backend
class Memory(keyring.backend.KeyringBackend):
    priority = 5
    kept = {}
    def set_password(self, service, name, value):
        if locked:
            raise keyring.errors.KeyringLocked("locked")
        self.kept[service, name] = value
    def get_password(self, service, name):
        return self.kept.get((service, name))
    def delete_password(self, service, name):
        if self.kept.pop((service, name), None) is None:
            raise keyring.errors.PasswordDeleteError("none")
locked = len(sys.argv) > 2
keyring.set_keyring(Memory())
from aml_jupyter.workspace import WorkspaceFolder, delete_secret, get_secret, set_secret
folder = WorkspaceFolder.open(sys.argv[1])
set_secret(folder, "token", "value")
print(get_secret(folder, "token"), list(Memory.kept.values()), folder.layout.secrets.exists())
delete_secret(folder, "token")
print(get_secret(folder, "token"))
folder.close()
"""


@pytest.mark.parametrize(("locked", "seen"), [((), "value ['value'] False"), (("locked",), "value [] True")])
def test_a_keyring_is_used_where_it_works(folder: WorkspaceFolder, locked: tuple[str, ...], seen: str) -> None:
    done = run_python(KEYRING, folder.root, *locked, AML_KEYRING="")
    assert done.stdout.splitlines() == [seen, "None"], done.stderr


def test_without_a_usable_keyring_there_are_files(folder: WorkspaceFolder) -> None:
    code = (
        "import sys; from aml_jupyter.workspace import WorkspaceFolder, get_secret, set_secret\n"
        "folder = WorkspaceFolder.open(sys.argv[1]); set_secret(folder, 'a', 'b')\n"
        "print(get_secret(folder, 'a'), len(list(folder.layout.secrets.iterdir()))); folder.close()"
    )
    done = run_python(code, folder.root, AML_KEYRING="", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert done.stdout.strip() == "b 1", done.stderr


def test_a_full_disk_keeps_the_old_secret(small_disk: Path) -> None:
    folder = WorkspaceFolder.open(small_disk / "w", create=True)
    set_secret(folder, "token", "old")
    with open(small_disk / "filler", "wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(WorkspaceException, match="No space left"):
        set_secret(folder, "token", VALUE)
    assert get_secret(folder, "token") == "old" and len(os.listdir(folder.layout.secrets)) == 1
    folder.close()
