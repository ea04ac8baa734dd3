"""A lock says which packages there are, whoever brought them."""

from __future__ import annotations

from aml_jupyter.environments.packages import changed_packages, locked_packages

PIP = """numpy==2.1.0 \\
    --hash=sha256:00
uvicorn[standard]==0.30 ; python_version < '3.12' \\
    --hash=sha256:00
tiny @ file:///somewhere/aa11/tiny-1.0-py3-none-any.whl \\
    --hash=sha256:00
file:///somewhere/aa11/other_pkg-2.0-py3-none-any.whl
"""
CONDA = """version: 6
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.11.9-hb806964_0_cpython.conda
      - conda: https://conda.anaconda.org/conda-forge/noarch/python-dateutil-2.9.0-pyhd8ed1ab_0.tar.bz2
packages:
- conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.11.9-hb806964_0_cpython.conda
  sha256: 00
- conda: https://conda.anaconda.org/conda-forge/noarch/python-dateutil-2.9.0-pyhd8ed1ab_0.tar.bz2
"""


def test_pinned_requirements() -> None:
    assert [tuple(package) for package in locked_packages(PIP)] == [
        ("numpy", "2.1.0", "pip"),
        ("other_pkg", "2.0", "pip"),
        ("tiny", "1.0", "pip"),
        ("uvicorn", "0.30", "pip"),
    ]


def test_conda_packages_and_what_pip_added() -> None:
    conda = [("python", "3.11.9", "conda"), ("python-dateutil", "2.9.0", "conda")]
    assert [tuple(package) for package in locked_packages(CONDA)] == conda
    both = locked_packages(f"{CONDA}\n# --- pip ---\nsix==1.16 \\\n    --hash=sha256:00\n")
    assert [tuple(package) for package in both] == [*conda, ("six", "1.16", "pip")]


def test_what_changed_is_said_in_words() -> None:
    after = PIP.replace("numpy==2.1.0", "numpy==2.2.0").replace("uvicorn[standard]==0.30", "httpx==1.0")
    assert changed_packages(PIP, after) == ["+ httpx 1.0", "numpy 2.1.0 -> 2.2.0", "- uvicorn 0.30"]
    assert changed_packages(CONDA, CONDA) == []


def test_an_image_says_what_it_stands_on() -> None:
    image = '{"base": "sha256:aaaaaaaaaaaaaaaaaa", "digest": null}\n# --- layer ---\n' + PIP
    assert locked_packages(image) == locked_packages(PIP)
    assert locked_packages('{"base": "sha256:aa", "digest": null}') == []
    moved = image.replace("aaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbb")
    assert changed_packages(image, moved) == ["base image sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb"]
    conda = '{"base": "sha256:aa"}\n# --- layer ---\n' + CONDA
    assert locked_packages(conda) == locked_packages(CONDA)
