"""Run real Docker engines: dockerd on a socket, in folders and on a bridge of its own, so that none knows of another.

Each engine has a place (a number): a folder, a bridge and a subnet. It writes down a word that is in the variables of every
process that it starts. When an engine starts, each place whose lock nobody holds is cleared of what a killed test session left
there: those processes that have the word, their containers, mounts, bridge and rules. The engines change no firewall rules
themselves: the one rule that lets a container reach out is set here and removed here, and so is ip_forward.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from engine_packages import DOCKERD

__all__ = ["Engine", "sweep"]

PLACES = 40
HOME = Path("/tmp/aml-test-engines")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BOUND = 60.0
VARIABLE = "AML_TEST_ENGINE"
"""Names the engine that has started a process."""


class Engine:
    """Own one dockerd: start it, stop it, kill it, start it again.

    Parameters
    ----------
    live_restore : bool
        Whether containers live on while it is down.
    hidden : sequence of Path
        Folders of this machine that it does not see: it has empty ones in their places, as another machine might.
    """

    def __init__(self, live_restore: bool = False, hidden: Sequence[Path] = ()) -> None:
        self.live_restore = live_restore
        self.hidden = tuple(hidden)
        sweep()
        self._lock, self.number = _take_place()
        self.folder = HOME / str(self.number)
        self.bridge, self.subnet = _network(self.number)
        self.word = uuid.uuid4().hex
        self.socket = self.folder / "d.sock"
        self.host = f"unix://{self.socket}"
        self.log = self.folder / "d.log"
        self.process: subprocess.Popen[bytes] | None = None
        _clear(self.number)
        self.folder.mkdir(mode=0o755)
        _word_of(self.number).write_text(self.word)
        self._forward = _open_network(self.bridge, self.subnet)

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and return when it answers."""
        (self.folder / "daemon.json").write_text(json.dumps({"live-restore": self.live_restore}))
        self._remove_stale_pid_files()
        # A containerd that lost its daemon would answer the next one's first call, and then end.
        self._end_containerd()
        command = [DOCKERD, "--config-file", str(self.folder / "daemon.json"), "--data-root", str(self.folder / "data")]
        command += ["--exec-root", str(self.folder / "run"), "--pidfile", str(self.folder / "d.pid"), "-H", self.host]
        command += ["--bridge", self.bridge, "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        if self.hidden:
            mounts = " && ".join(f"mount -t tmpfs none {shlex.quote(str(path))}" for path in self.hidden)
            command = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                f'{mounts} && exec "$@"',
                "sh",
                *command,
            ]
        # Nothing of the test that happens to come first: what carries a test's variables is ended with it.
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("AML_", "PYTEST_"))}
        variables[VARIABLE] = self.word
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=variables,
            )
        deadline = time.monotonic() + BOUND
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd does not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Tell whether it answers a ping."""
        import http.client
        import socket

        connection = http.client.HTTPConnection("docker", timeout=5)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        try:
            connection.sock.connect(str(self.socket))
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """End the daemon by SIGKILL, as a crash does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End the daemon by SIGTERM, as an update does."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop the daemon in its tracks: it takes connections, and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        deadline = time.monotonic() + BOUND
        # A signal takes its time to get to all of them.
        while any(_thread_state(thread) != "T" for thread in threads.iterdir()):
            if time.monotonic() > deadline:
                raise RuntimeError("dockerd does not stop in its tracks")
            time.sleep(0.005)

    def thaw(self) -> None:
        """Let a frozen daemon go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(BOUND)
        self.process = None

    def close(self) -> None:
        """Remove every container, end the daemon, and put back what it changed on this machine."""
        with contextlib.suppress(Exception):
            if self.process is not None:
                self._remove_containers()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        _clear(self.number)
        _close_network(self.bridge, self.subnet, self._forward)
        self._lock.close()

    def _remove_containers(self) -> None:
        import docker

        client = docker.DockerClient(base_url=self.host, version="1.41", timeout=30)
        try:
            for container in client.api.containers(all=True):
                client.api.remove_container(container["Id"], force=True, v=True)
        finally:
            client.close()

    # -- what is left -------------------------------------------------------------------------------------------

    def _remove_stale_pid_files(self) -> None:
        for path in (self.folder / "d.pid", self.folder / "run/containerd/containerd.pid"):
            with contextlib.suppress(OSError, ValueError):
                if not _has_word(int(path.read_text()), self.word):
                    path.unlink()

    def _end_containerd(self) -> None:
        """End the containerd of a daemon that was killed; its shims, and so the containers, live on."""
        for pid in _processes_with(self.word):
            if _command(pid).startswith("containerd ") or "/containerd " in _command(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _wait_gone(pid)


def sweep() -> None:
    """Clear the places of engines whose test session was killed; what it wrote down says which processes those are."""
    if not HOME.is_dir():
        return
    for path in sorted(HOME.glob("*.word")):
        number = int(path.stem)
        with open(HOME / f"{number}.lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its session lives
            _clear(number)
            _close_network(*_network(number), _forwarding())


def _clear(number: int) -> None:
    """End every process of a place, take down its mounts and remove its folder."""
    folder, word = HOME / str(number), _word_of(number)
    said = word.read_text() if word.exists() else ""
    for _ in range(50):
        found = _processes_with(said)
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((path for path in mounts if path.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
    word.unlink(missing_ok=True)


def _word_of(number: int) -> Path:
    return HOME / f"{number}.word"


def _network(number: int) -> tuple[str, str]:
    return f"amltest{number}", f"10.231.{number}"


def _take_place() -> tuple[IO[str], int]:
    HOME.mkdir(mode=0o755, exist_ok=True)
    for number in range(1, PLACES):
        lock = open(HOME / f"{number}.lock", "a")  # noqa: SIM115 (held for the engine's life)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock, number
        except BlockingIOError:
            lock.close()
    raise RuntimeError(f"{PLACES} engines of tests run already")


def _open_network(bridge: str, subnet: str) -> IO[str]:
    """Make the bridge, and let its containers reach out; return what holds ip_forward open."""
    forward = _forwarding()
    with _one_at_a_time():
        fcntl.flock(forward, fcntl.LOCK_SH)
        forward.seek(0)
        if not forward.read().strip():
            forward.write(FORWARD.read_text().strip())
            forward.flush()
        FORWARD.write_text("1")
    _remove_bridge(bridge, subnet)
    _run("ip", "link", "add", "name", bridge, "type", "bridge")
    _run("ip", "addr", "add", f"{subnet}.1/24", "dev", bridge)
    _run("ip", "link", "set", bridge, "up")
    for rule in _rules(bridge, subnet):
        _run("iptables", "-w", *rule("-A"))
    return forward


def _forwarding() -> IO[str]:
    return open(HOME / "forward.lock", "a+")  # held for the engine's life


def _close_network(bridge: str, subnet: str, forward: IO[str]) -> None:
    _remove_bridge(bridge, subnet)
    with forward, _one_at_a_time():
        try:
            fcntl.flock(forward, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another engine still needs it
        forward.seek(0)
        FORWARD.write_text(forward.read().strip() or "0")
        forward.truncate(0)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with open(HOME / "network.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_bridge(bridge: str, subnet: str) -> None:
    for rule in _rules(bridge, subnet):
        while subprocess.run(["iptables", "-w", *rule("-D")], check=False, capture_output=True).returncode == 0:
            pass
    subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)


def _rules(bridge: str, subnet: str):  # type: ignore[no-untyped-def]
    out = ["POSTROUTING", "-s", f"{subnet}.0/24", "!", "-o", bridge, "-j", "MASQUERADE"]
    yield lambda verb: ["-t", "nat", verb, *out]
    yield lambda verb: [verb, "FORWARD", "-i", bridge, "-j", "ACCEPT"]
    yield lambda verb: [verb, "FORWARD", "-o", bridge, "-j", "ACCEPT"]


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def _thread_state(thread: Path) -> str:
    """Return the state of a thread, `T` where it is stopped; a thread that has gone is stopped, too."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "T"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _has_word(pid: int, word: str) -> bool:
    try:
        return bool(word) and f"{VARIABLE}={word}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _processes_with(word: str) -> list[int]:
    """Return dockerd, containerd, its shims and what runs in their containers, of one engine."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = [pid for pid in numbers if pid != os.getpid() and _has_word(pid, word) and _state(pid) != "Z"]
    everything = set(found)
    parents = {pid: _parent(pid) for pid in numbers}
    while inside := {pid for pid, parent in parents.items() if parent in everything} - everything:
        everything |= inside
    return sorted(everything)


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ["", "0"]
    return text[text.rfind(")") + 2 :].split()


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _state(pid) not in ("", "Z"):
        time.sleep(0.02)
