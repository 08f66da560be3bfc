"""The ``srkit`` program, without torch where it can do without."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

import pytest
from click.testing import CliRunner

import srkit
from srkit import plugins
from srkit.cli import program


def _srkit(*arguments: str):
    return CliRunner().invoke(program, arguments)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["plugins"], ["models", "list"], ["upscale", "--help"]]
)
def test_light_commands_import_neither_torch_nor_pyvips(arguments):
    """Help, version and listings start without torch and without OpenCV."""
    if arguments[0] == "upscale":
        pytest.importorskip("srkit_io")
    code = f"""
import sys
from importlib import metadata
sys.argv = ["srkit", *{arguments!r}]
from srkit.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not {{"torch", "pyvips"}} & set(sys.modules), sorted({{"torch", "pyvips"}} & set(sys.modules))
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_lists_every_command_with_its_summary():
    """The help page names each registered command and what it does."""
    text = _srkit("--help").output
    for entry in plugins.current().commands:
        assert entry.spec.name in text
    assert "List installed plugins" in text


def test_help_is_laid_out_as_written():
    """The examples of the help pages keep their lines."""
    assert "\n  srkit models list " in _srkit("--help").output
    assert "\\b" not in _srkit("--help").output
    if "upscale" in plugins.current().commands:
        assert "\n  srkit upscale photo.jpg -o big.png\n" in _srkit("upscale", "--help").output


def test_run_as_a_module():
    """``python -m srkit`` is the program."""
    done = subprocess.run([sys.executable, "-m", "srkit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("srkit ")


def test_without_torch_the_reason_is_told():
    """A command that needs torch says so where there is none."""
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['srkit', 'check', 'srkit']"
    done = _python(f"{code}\nfrom srkit.cli import main\nmain()")
    assert done.returncode == 1
    assert "needs PyTorch" in done.stderr
    assert "Traceback" not in done.stderr


def test_version():
    """--version prints the version of the distribution, the one in srkit.__version__."""
    assert _srkit("--version").output == f"srkit {srkit.__version__}\n"


def test_unknown_command_is_told_with_a_suggestion():
    """A misspelt command names the right one."""
    result = _srkit("modles")
    assert result.exit_code == 2
    assert "did you mean 'models'?" in result.output


@pytest.mark.parametrize(("command", "distribution"), [("upscale", "srkit-io"), ("degrade", "srkit-datasets")])
def test_a_missing_distribution_is_named(monkeypatch, command, distribution):
    """A command of a distribution that is not there says what to install."""
    monkeypatch.setenv("SRKIT_PLUGINS", "")
    plugins.reload()
    result = _srkit(command, "a.png")
    assert result.exit_code == 1
    assert f"comes with {distribution}, which" in result.output
    monkeypatch.setattr("srkit.cli.metadata.version", lambda name: (_ for _ in ()).throw(metadata.PackageNotFoundError))
    assert f"pip install {distribution}" in _srkit(command, "a.png").output


def test_plugins_shows_what_is_broken(install):
    """A broken plugin is shown with distribution, version and cause, its traceback on request, and the exit code is 1."""
    install("broken-one", "raise RuntimeError('no such luck')", version="4.5")
    plugins.reload()
    result = _srkit("plugins")
    assert result.exit_code == 1
    assert "broken-one 4.5" in result.output
    assert "RuntimeError: no such luck" in result.output
    assert "Traceback" not in result.output
    assert "Traceback" in _srkit("plugins", "--traceback").output


def test_plugin_command_runs(install):
    """A command that a plugin registers runs like a built-in one."""
    source = """
import click, srkit
@click.command()
def greet():
    click.echo("hello from a plugin")
@srkit.hookimpl
def srkit_register_commands(register):
    register(srkit.CommandSpec(name="greet", target=__name__ + ":greet", summary="Greets."))
"""
    install("greeter", source)
    plugins.reload()
    assert _srkit("greet").output == "hello from a plugin\n"
    assert "Greets." in _srkit("--help").output


@pytest.mark.parametrize("target", ["missing.module:x", "srkit.errors:SrkitError"])
def test_a_command_that_cannot_be_loaded_is_told(install, tmp_path, target):
    """A command whose target is missing, or is no command, is an error message that names its plugin."""
    source = f"""
import srkit
@srkit.hookimpl
def srkit_register_commands(register):
    register(srkit.CommandSpec(name="nothing", target={target!r}, summary="Does nothing."))
"""
    install("hollow", source)
    source = repr(str(tmp_path / "site-packages"))
    code = (
        f"import sys; sys.path.insert(0, {source}); sys.argv = ['srkit', 'nothing']\nfrom srkit.cli import main; main()"
    )
    done = _python(code)
    assert done.returncode == 1
    assert "hollow 1.2" in done.stderr
    assert "Traceback" not in done.stderr


def test_models_list_and_info():
    """The catalogue is listed, by tag too, and a model described with licence, source and digest."""
    pytest.importorskip("srkit_archs_realesrgan")
    listing = _srkit("models", "list").output
    assert all(entry.spec.name in listing for entry in plugins.current().models)
    assert "x4plus_anime" not in _srkit("models", "list", "--tag", "video").output
    assert "no model has the tag 'cats'; there are anime, " in _srkit("models", "list", "--tag", "cats").output
    assert re.search(r"RealESRNet_x4plus +rrdb +×4 +unverified", listing)
    assert "--allow-unverified' brings it" in listing
    described = _srkit("models", "info", "realesr-general-x4v3").output
    for words in ("BSD-3-Clause", "https://github.com/xinntao", "8dc7edb9", "denoise", "srkit-archs-realesrgan"):
        assert words in described


def test_fetch_of_an_unverified_model_is_refused():
    """Without a published digest nothing is fetched unasked, and the way out is told."""
    pytest.importorskip("srkit_archs_realesrgan")
    result = _srkit("models", "fetch", "RealESRNet_x4plus")
    assert isinstance(result.exception, srkit.WeightsNotFound)
    assert "--allow-unverified" in str(result.exception)


def test_inspect_tells_what_a_file_holds(tmp_path):
    """inspect names architecture, configuration and scale of a file that says nothing of itself."""
    torch = pytest.importorskip("torch")
    srvgg = pytest.importorskip("srkit_archs_realesrgan.srvgg")
    torch.save({"params_ema": srvgg.SRVGGNetCompact(num_feat=8, num_conv=2).state_dict()}, tmp_path / "a.pth")
    told = _srkit("models", "inspect", str(tmp_path / "a.pth")).output
    for words in ("srvgg", "num_feat=8", "×4"):
        assert words in told
    assert "card" not in told


def test_export_keeps_what_tensors_do_not_tell(tmp_path):
    """A leaky relu network read from ncnn files is the same network in a file exported from them."""
    pytest.importorskip("torch")
    pytest.importorskip("srkit_archs_realesrgan")
    import numpy as np

    lines = ["7767517", "3 3", "Input data 0 1 data"]
    lines += ["Convolution a 1 1 data a 0=4 1=3 4=1 5=1 6=108 9=2 -23310=1,1.000000e-01"]
    lines += ["Convolution b 1 1 a output 0=12 1=3 4=1 5=1 6=432"]
    (tmp_path / "n.param").write_text("\n".join(lines))
    rng = np.random.default_rng(0)
    parts = [b"\0" * 4, rng.random(108, np.float32), rng.random(4, np.float32)]
    parts += [b"\0" * 4, rng.random(432, np.float32), rng.random(12, np.float32)]
    (tmp_path / "n.bin").write_bytes(b"".join(bytes(part) for part in parts))
    assert _srkit("models", "export", str(tmp_path / "n.param"), str(tmp_path / "n.safetensors")).exit_code == 0
    before, after = (srkit.load_network(weights=tmp_path / f"n.{suffix}") for suffix in ("param", "safetensors"))
    assert before.config["act_type"] == "leakyrelu"
    assert dict(after.config) == dict(before.config)


def test_check_of_nothing_installed():
    """'srkit check' of what is no plugin lists the plugins."""
    pytest.importorskip("torch")
    result = _srkit("check", "srkti")
    assert isinstance(result.exception, srkit.UnknownName)
    assert "did you mean 'srkit'" in str(result.exception)
    assert isinstance(_srkit("check", "srkit", "--only", "nonsense").exception, srkit.UnknownName)
