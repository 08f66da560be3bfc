"""Discovery of plugins: entry points of the group ``srkit``, loaded one at a time and isolated from each other.

pluggy's own ``load_setuptools_entrypoints`` lets an exception of one plugin through, skips the second of two equal
entry-point names without a word and accepts misspelt hooks; so each entry point is loaded and registered here, inside
its own ``try``. The hooks are historic: registering a plugin calls its implementations at once, which is what lets a
failure be laid at the right door.
"""

from __future__ import annotations

import difflib
import os
import sys
import threading
from importlib import metadata
from typing import Any

import pluggy

from . import builtins, hookspecs
from .declarations import (
    ArchitectureSpec,
    CommandSpec,
    DatasetSpec,
    DegradationSpec,
    LossSpec,
    ModelCard,
    TrainerSpec,
    UpsamplerSpec,
)
from .registry import Registry, fold
from .reports import PluginReport, Problem

GROUP = "srkit"

# What can be registered, and the hook that registers it.
HOOKS: dict[type, str] = {
    ArchitectureSpec: "srkit_register_architectures",
    ModelCard: "srkit_register_models",
    UpsamplerSpec: "srkit_register_upsamplers",
    DegradationSpec: "srkit_register_degradations",
    DatasetSpec: "srkit_register_datasets",
    LossSpec: "srkit_register_losses",
    TrainerSpec: "srkit_register_trainers",
    CommandSpec: "srkit_register_commands",
}


class Plugins:
    """Everything the installed plugins registered.

    ``only`` limits which are loaded, by entry-point or distribution name; the core's own is always there.
    """

    def __init__(self, *, only: frozenset[str] | None = None, trace: bool = False) -> None:
        self.architectures: Registry[ArchitectureSpec] = Registry("architecture")
        self.models: Registry[ModelCard] = Registry("model")
        self.upsamplers: Registry[UpsamplerSpec] = Registry("upsampler")
        self.degradations: Registry[DegradationSpec] = Registry("degradation")
        self.datasets: Registry[DatasetSpec] = Registry("dataset")
        self.losses: Registry[LossSpec] = Registry("loss")
        self.trainers: Registry[TrainerSpec] = Registry("trainer")
        self.commands: Registry[CommandSpec] = Registry("command")
        self.reports: list[PluginReport] = []
        self._kinds: dict[type, Registry[Any]] = {
            ArchitectureSpec: self.architectures,
            ModelCard: self.models,
            UpsamplerSpec: self.upsamplers,
            DegradationSpec: self.degradations,
            DatasetSpec: self.datasets,
            LossSpec: self.losses,
            TrainerSpec: self.trainers,
            CommandSpec: self.commands,
        }
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        if trace:
            self._manager.add_hookcall_monitoring(_print_call, _print_result)
        for kind in self._kinds:
            hook = getattr(self._manager.hook, HOOKS[kind])
            hook.call_historic(kwargs={"register": self._registrar(kind)})

        core = PluginReport("srkit", _version("srkit"), "core", "srkit.builtins")
        self._load(core, lambda: builtins)
        wanted = {fold(name) for name in only or ()}
        unmet = wanted - {"core", "srkit"}
        for entry_point, distribution in _discover():
            names = {fold(entry_point.name), fold(distribution.name)}
            unmet -= names
            if only is None or names & wanted:
                report = PluginReport(distribution.name, distribution.version, entry_point.name, entry_point.value)
                self._load(report, entry_point.load)
        for name in sorted(unmet):
            core.problems.append(Problem(f"SRKIT_PLUGINS names {name!r}, but no plugin of that name is installed"))

    def _load(self, report: PluginReport, load: Any) -> None:
        self.reports.append(report)
        name = f"{report.distribution}:{report.entry_point}"
        try:
            plugin = load()
            # SystemExit too: a plugin that exits while it is imported must not end the program.
            self._manager.register(plugin, name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever it is, it is this plugin's alone
            self._fail(report, name, f"{type(error).__name__}: {error}", error)
            return
        strange = self._misspelt_hooks(plugin)
        if strange:
            self._fail(report, name, "; ".join(strange), None)
        elif not report.registered and not report.problems:
            report.problems.append(Problem("it registers nothing; see docs/plugins.md"))

    def _fail(self, report: PluginReport, name: str, message: str, error: BaseException | None) -> None:
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        report.failed = True
        report.registered.clear()
        report.problems.insert(0, Problem(message, error))
        for registry in self._kinds.values():
            registry.take_back(report)
            registry.broken.append(report)

    def _registrar(self, kind: type) -> hookspecs.Register[Any]:
        registry, hook = self._kinds[kind], HOOKS[kind]

        def register(spec: Any, /) -> None:
            report = self.reports[-1]
            fits = isinstance(spec, kind)
            if not fits:
                raise TypeError(f"{hook} registered {spec!r}; expected a srkit.{kind.__name__}")
            try:
                registry.add(spec, report)
            except ValueError as clash:
                report.problems.append(Problem(str(clash), clash))
            else:
                report.registered.append((registry.kind, spec.name))

        return register

    def _misspelt_hooks(self, plugin: object) -> list[str]:
        known = [*HOOKS.values()]
        strange = []
        for name in dir(plugin):
            marked = self._manager.parse_hookimpl_opts(plugin, name) is not None
            if marked and name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                strange.append(f"no hook is called {name!r}; {hint}Hooks: {', '.join(known)}")
            elif not marked and name in known:
                strange.append(f"{name!r} is not marked with @srkit.hookimpl, so it is never called")
        return strange


def _discover() -> list[tuple[metadata.EntryPoint, metadata.Distribution]]:
    """Entry points of the group with their distributions, sorted, so that who comes first is no accident."""
    found: dict[tuple[str, str], tuple[metadata.EntryPoint, metadata.Distribution]] = {}
    for distribution in metadata.distributions():
        try:
            ours = [entry_point for entry_point in distribution.entry_points if entry_point.group == GROUP]
            name = distribution.name if ours else ""
        except Exception:  # noqa: BLE001, S112 -- any package's damaged metadata: not srkit's to report
            continue
        for entry_point in ours:
            # A distribution can be seen twice (an editable install beside its metadata): the first on sys.path counts.
            if name:  # a torn installation has entry points but no name
                found.setdefault((name, entry_point.name), (entry_point, distribution))
    return [found[key] for key in sorted(found)]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


def _print_call(hook_name: str, implementations: Any, _: Any) -> None:
    for implementation in implementations:
        sys.stderr.write(f"srkit: {hook_name} → {implementation.plugin_name}\n")


def _print_result(outcome: Any, hook_name: str, implementations: Any, _: Any) -> None:
    error = outcome.exception
    if error is not None:
        for implementation in implementations:
            sys.stderr.write(
                f"srkit: {hook_name} → {implementation.plugin_name} raised {type(error).__name__}: {error}\n"
            )


_lock = threading.RLock()
_current: Plugins | None = None


def current() -> Plugins:
    """The plugins of this process, loaded on first use.

    ``SRKIT_PLUGINS=a,b`` limits them to those entry points or distributions; ``SRKIT_TRACE_PLUGINS=1`` prints each
    hook call to standard error.
    """
    global _current
    with _lock:
        if _current is None:
            names = os.environ.get("SRKIT_PLUGINS")
            only = None if names is None else frozenset(n.strip() for n in names.split(",") if n.strip())
            _current = Plugins(only=only, trace=os.environ.get("SRKIT_TRACE_PLUGINS", "0") not in {"", "0"})
        return _current


def reload() -> Plugins:
    """Forget the loaded plugins and look again; for programs that install plugins while they run, and for tests."""
    global _current
    with _lock:
        _current = None
        return current()
