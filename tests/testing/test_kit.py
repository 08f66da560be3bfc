"""The conformance kit: our own objects pass, and every check fails for an object that breaks its contract."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import attrs  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import srkit  # noqa: E402
import srkit.testing  # noqa: E402
from srkit import plugins  # noqa: E402
from srkit.cli import program  # noqa: E402
from srkit.whole import WholeImage, upsampler  # noqa: E402


@srkit.testing.parametrise(upsampler)
def test_the_whole_image_upsampler_conforms(check):
    """The reference keeps the contract it is the reference for."""
    check()


class _Approximate:
    """One that wants a halo."""

    name = "approximate"

    def prepare(self, network, settings):
        if settings.halo is None:
            raise srkit.SettingsError("say halo=")
        return WholeImage().prepare(network, attrs.evolve(settings, halo=None))


@srkit.testing.parametrise(_Approximate())
def test_an_upsampler_that_wants_a_halo_is_given_one(check):
    """What only approximates is held to the contract where it is right: with a halo beyond the network's reach."""
    check()


class _Net(nn.Module):
    def __init__(self, features=4):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.conv(x), 2)


class Good:
    """A small architecture that keeps every contract."""

    name = "good"
    network = _Net

    def build(self, **config):
        return self.network(**config)

    def traits(self, **config):
        return srkit.Traits(scale=2)

    def recognise(self, shapes):
        own = {"conv.weight": (12, 3, 3, 3), "conv.bias": (12,)}
        return srkit.Recognition({}, {name: name for name in own}) if dict(shapes) == own else None


class Loud(Good):
    name = "Loud Name"


class NotANetwork(Good):
    def build(self, **config):
        return object()


class WrongScale(Good):
    def traits(self, **config):
        return srkit.Traits(scale=4)


class NeedsEven(Good):
    class network(_Net):
        def forward(self, x):
            return F.interpolate(super().forward(F.max_pool2d(x, 2)), scale_factor=2)


class Amnesiac(Good):
    def recognise(self, shapes):
        return None


class Greedy(Good):
    def recognise(self, shapes):
        return srkit.Recognition({}, {name: name for name in shapes})


class Restless(Good):
    class network(_Net):
        def forward(self, x):
            out = super().forward(x)
            return out + torch.rand_like(out)


class Writer(Good):
    class network(_Net):
        def forward(self, x):
            return super().forward(x.mul_(2))


class Sociable(Good):
    class network(_Net):
        def forward(self, x):
            return super().forward(x) + x.mean()


class Forgetful(Good):
    class network(_Net):
        def __init__(self):
            super().__init__()
            self.secret = torch.rand(1)

        def forward(self, x):
            return super().forward(x) * self.secret


class Tied(Good):
    """One tensor under two names, which safetensors does not hold."""

    class network(_Net):
        def __init__(self):
            super().__init__()
            self.again = self.conv

    def recognise(self, shapes):
        return srkit.Recognition({}, {name: name for name in shapes}) if "again.bias" in shapes else None


class Hidden(Good):
    """An option that tensors do not tell."""

    class network(_Net):
        def __init__(self, slope=0.1):
            super().__init__()
            self.slope = slope

        def forward(self, x):
            return F.leaky_relu(super().forward(x), self.slope)

    def sample(self):
        return {"slope": 0.3}


class Actor(Good):
    """Behaves otherwise while it is watched."""

    class network(_Net):
        def forward(self, x):
            return super().forward(x) * (2 if torch.compiler.is_exporting() else 1)


class Bent(Good):
    """Of an operator that torch's kernels round by shape."""

    class network(_Net):
        def forward(self, x):
            return torch.sigmoid(super().forward(x))


class Wide(Good):
    """Large by default, small to be checked."""

    class network(nn.Module):
        def __init__(self, features=2000):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, features, 3, padding=1), nn.Conv2d(features, 12, 3, padding=1)
            self.features = features

        def forward(self, x):
            assert self.features < 10, "the default network was run"
            return F.pixel_shuffle(self.last(F.relu(self.first(x))), 2)

    def recognise(self, shapes):
        if "first.bias" not in shapes:
            return None
        (features,) = shapes["first.bias"]
        with torch.device("meta"):
            own = {name: tuple(tensor.shape) for name, tensor in self.network(features).state_dict().items()}
        return srkit.Recognition({"features": features}, {name: name for name in own}) if own == dict(shapes) else None

    def sample(self):
        return {"features": 4}

    def traits(self, features=2000):
        return srkit.Traits(scale=2)


@srkit.testing.parametrise(Good(), Bent(), Wide())
def test_a_good_architecture_passes(check):
    """Nothing is asked beyond the contract."""
    check()


ARCHITECTURE_CULPRITS = [
    (Loud, "name_is_registered_name", "should be lower case"),
    (NotANetwork, "builds_without_arguments", "return an nn.Module"),
    (WrongScale, "traits_are_true", "promises"),
    (NeedsEven, "any_aligned_size", "raise multiple_of"),
    (Amnesiac, "recognises_its_own", "return a srkit.Recognition"),
    (Greedy, "leaves_others_alone", "should be None"),
    (Restless, "is_deterministic_and_pure", "two runs differ"),
    (Writer, "is_deterministic_and_pure", "writes into its input"),
    (Sociable, "pictures_are_independent", "do not mix along the batch axis"),
    (Forgetful, "survives_saving", "register every tensor"),
    (Tied, "comes_back_from_a_file", "one name, and memory of its own"),
    (Hidden, "comes_back_from_a_file", "must be as it is by default"),
    (Amnesiac, "comes_back_from_a_file", "gave None for the tensors of the file"),
    (Actor, "streams_exactly", "streamed by the engine 'stream', the output is off by"),
]


@pytest.mark.parametrize(("culprit", "check", "words"), ARCHITECTURE_CULPRITS)
def test_every_architecture_check_can_fail(culprit, check, words):
    """An architecture that breaks one contract fails the check of that name, which says what to change."""
    if check == "streams_exactly":
        pytest.importorskip("srkit_engine_tiled")
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


class _Upsampler:
    name = "fake"

    def prepare(self, network, settings):
        return WholeImage().prepare(self.twist(network), settings)

    def twist(self, network):
        return network


class _Blurred(_Upsampler):
    def twist(self, network):
        return nn.Sequential(network, nn.AvgPool2d(3, 1, 1))


class _Tiled(_Upsampler):
    """Each strip by itself, as tiles without overlap are."""

    def prepare(self, network, settings):
        def stream(strips, size):
            for strip in strips:
                yield network(strip)

        return stream


class _NeedsTwo(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            out = torch.cat(list(whole(strips, size)), 2)
            yield out * (min(size) > 1)

        return stream


class _FirstOnly(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            for out in whole(strips, size):
                yield out[:1].expand(len(out), -1, -1, -1)

        return stream


class _OneState(_Upsampler):
    def prepare(self, network, settings):
        rows = []

        def stream(strips, size):
            rows.clear()
            for strip in strips:
                rows.append(strip)
                if sum(r.shape[2] for r in rows) < size[0]:
                    yield strip.new_zeros(strip.shape[0], 3, 0, size[1] * 2)
            yield network(torch.cat(rows, 2).contiguous(memory_format=torch.channels_last))

        return stream


class _Dirty(_Upsampler):
    def prepare(self, network, settings):
        whole = super().prepare(network, settings)

        def stream(strips, size):
            held = list(strips)
            yield from whole(iter([strip.clone() for strip in held]), size)
            for strip in held:
                strip.zero_()

        return stream


UPSAMPLER_CULPRITS = [
    (_Blurred, "equals_the_network"),
    (_Tiled, "strips_make_no_difference"),
    (_NeedsTwo, "takes_every_size"),
    (_FirstOnly, "takes_batches"),
    (_OneState, "keeps_no_trace"),
    (_Dirty, "leaves_its_input_alone"),
]


@pytest.mark.parametrize(("culprit", "check"), UPSAMPLER_CULPRITS)
def test_every_upsampler_check_can_fail(culprit, check):
    """An upsampler that breaks one contract fails the check of that name."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError) as caught:
        failing()
    assert caught.value.check == check


class Dim:
    """A small degradation that keeps every contract: each picture darkened by a factor of its own."""

    name = "dim"

    def __call__(self, images, rng):
        seeds = torch.randint(2**31, (len(images),), generator=rng)
        return torch.stack([self.one(*pair) for pair in zip(images, seeds.tolist(), strict=True)])

    def one(self, image, seed):
        return image * torch.rand((), generator=torch.Generator().manual_seed(seed)).to(image.device)


class Shouting(Dim):
    name = "Dim It"


class Glaring(Dim):
    def one(self, image, seed):
        return 2 * super().one(image, seed)


class Picky(Dim):
    def one(self, image, seed):
        return super().one(F.pad(image[None], (2, 2), mode="reflect")[0], seed)[:, :, 2:-2]


class Worldly(Dim):
    def one(self, image, seed):
        return image * torch.rand(())


class Crowded(Dim):
    def __call__(self, images, rng):
        return (images * images.mean()).clamp(0, 1)


class Scribbling(Dim):
    def __call__(self, images, rng):
        return images.mul_(0.5)


class Attached(Dim):
    def one(self, image, seed):
        return torch.from_numpy(image.numpy()) * 1


class Bound(Dim):
    def __init__(self):
        self.factor = lambda: 0.5


@srkit.testing.parametrise(Dim())
def test_a_good_degradation_passes(check):
    """Nothing is asked beyond the contract."""
    check()


DEGRADATION_CULPRITS = [
    (Shouting, "name_is_registered_name", "should be lower case"),
    (Glaring, "keeps_shape_range_and_device", "clamp them"),
    (Picky, "takes_any_size", "makes it raise"),
    (Worldly, "draws_from_the_generator_alone", "draw everything from rng"),
    (Crowded, "samples_are_independent", "a generator of its own"),
    (Scribbling, "leaves_its_input_alone", "clone them first"),
    (Attached, "gradients_hold_no_surprise", "detach them"),
    (Bound, "survives_pickling", "cannot be pickled"),
]


@pytest.mark.parametrize(("culprit", "check", "words"), DEGRADATION_CULPRITS)
def test_every_degradation_check_can_fail(culprit, check, words):
    """A degradation that breaks one contract fails the check of that name, which says what to change."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


class _Numbers:
    """Batches of pictures that are filled with numbers drawn for their position."""

    def __init__(self, data, config, feed):
        self.data, self.config, self.feed, self.taken = data, config, feed, 0
        self.bad = {}

    @property
    def epoch(self):
        return self.taken * self.feed.batch_size / 5

    def __iter__(self):
        return self

    def __next__(self):
        if self.config["bad"] and self.taken:
            self.bad = {"bad.png": "is bad"}
            if not self.feed.bad_limit:
                raise srkit.DatasetError("too many are bad")
        batch = self.data.batch(self)
        self.taken += 1
        return batch

    def state_dict(self):
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = state["taken"]

    def close(self):
        pass


class GoodData:
    """A small data set that keeps every contract."""

    name = "good-data"
    stream = _Numbers

    def open(self, config, feed):
        return self.stream(self, config, feed)

    def sample(self, folder, *, bad=0):
        return {"bad": bad}

    def batch(self, stream):
        feed = stream.feed
        number = stream.taken * feed.world_size + feed.rank
        rng = torch.Generator().manual_seed(1000 * feed.seed + number)
        gt = self.numbers((feed.batch_size, 3, 8, 8), rng)
        return srkit.Batch(gt=gt, lq=F.avg_pool2d(gt, 4), names=("a.png",) * feed.batch_size)

    def numbers(self, shape, rng):
        return torch.rand(shape, generator=rng)


class _Loud(GoodData):
    def numbers(self, shape, rng):
        return super().numbers(shape, rng) * 255


class _Oversharp(GoodData):
    def batch(self, stream):
        batch = super().batch(stream)
        return attrs.evolve(batch, gt_usm=batch.lq)


class _Global(GoodData):
    def numbers(self, shape, rng):
        return torch.rand(shape)


class _Sticky(GoodData):
    def open(self, config, feed):
        return super().open(config, attrs.evolve(feed, seed=0))


class _Running(GoodData):
    """Numbers go on within a worker, so their number matters."""

    def batch(self, stream):
        return (
            super().batch(stream) if not stream.feed.workers else attrs.evolve(super().batch(stream), names=("b",) * 4)
        )


class _Amnesia(GoodData):
    class stream(_Numbers):
        def state_dict(self):
            return {"taken": 0}


class _Twins(GoodData):
    def open(self, config, feed):
        return super().open(config, attrs.evolve(feed, rank=0))


class _Silent(GoodData):
    def sample(self, folder, *, bad=0):
        return {"bad": 0}


class _Moving(GoodData):
    def numbers(self, shape, rng):
        torch.rand(1)
        return super().numbers(shape, rng)


DATASET_CULPRITS = [
    (_Loud, "gives_pictures", r"gt is \(4, 3, 8, 8\) torch.float32 in"),
    (_Oversharp, "gives_pictures", r"gt_usm is \(4, 3, 2, 2\) torch.float32 .*; expected \(4, 3, 8, 8\)"),
    (_Global, "follows_the_seed", "gave other batches the second time"),
    (_Sticky, "follows_the_seed", "another seed gave the same"),
    (_Running, "workers_change_nothing", "1 workers gave other batches"),
    (_Amnesia, "goes_on_where_it_was", "restored after 2 batches"),
    (_Twins, "ranks_differ", "given the same batches"),
    (_Silent, "leaves_out_bad_files", "of one bad file, bad told {}"),
    (_Moving, "leaves_other_numbers_alone", "a global random generator moved"),
]


@srkit.testing.parametrise(GoodData())
def test_a_good_data_set_passes(check):
    """Nothing is asked beyond the contract."""
    check()


@pytest.mark.parametrize(("culprit", "check", "words"), DATASET_CULPRITS)
def test_every_data_set_check_can_fail(culprit, check, words):
    """A data set that breaks one contract fails the check of that name, which says what to change."""
    failing = {one.name: one for one in srkit.testing.checks_for(culprit())}[check]
    with pytest.raises(srkit.ContractError, match=words) as caught:
        failing()
    assert caught.value.check == check


def test_every_check_has_its_culprit():
    """No check is left without an object that fails it, above."""
    assert {name for _, name, _ in DEGRADATION_CULPRITS} == {c.name for c in srkit.testing.checks_for(Dim())}
    assert {name for _, name, _ in ARCHITECTURE_CULPRITS} == {c.name for c in srkit.testing.checks_for(Good())}
    assert {name for _, name in UPSAMPLER_CULPRITS} == {c.name for c in srkit.testing.checks_for(upsampler)}
    assert {name for _, name, _ in DATASET_CULPRITS} == {c.name for c in srkit.testing.checks_for(GoodData())}


def test_check_functions_run_all_and_refuse_others():
    """check_architecture and the like run every check; an object of no kind, and a class, are refused."""
    srkit.testing.check_architecture(Good())
    srkit.testing.check_degradation(Dim())
    srkit.testing.check_upsampler(upsampler)
    srkit.testing.check_dataset(GoodData())
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_architecture(Greedy())
    with pytest.raises(TypeError, match="neither an Architecture, .* nor an Upsampler; .* Of a loss, say kind="):
        srkit.testing.checks_for(object())
    with pytest.raises(TypeError, match="neither an Architecture, .* nor an Upsampler; .* Of a loss, say kind="):
        srkit.testing.checks_for(Dim)


SOURCE = """
import srkit
from {module} import {name}
architecture = {name}()
architecture.name = "foreign"
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="foreign", target=__name__ + ":architecture", summary="Somebody else's."))
"""


@pytest.mark.parametrize(("name", "exit_code"), [("Good", 0), ("Greedy", 1)])
def test_command_on_a_foreign_distribution(install, monkeypatch, name, exit_code):
    """'srkit check' holds any installed plugin to the contracts, and can be limited to some checks."""
    import sys

    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-nets", SOURCE.format(module="culprits", name=name))
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "foreign-nets"])
    assert result.exit_code == exit_code, result.output
    assert ("FAILED" in result.output) == bool(exit_code)
    assert "\narchitecture foreign\n        network:     ×2, 3 → 3 channels, 336 parameters\n" in result.output
    only = CliRunner().invoke(program, ["check", "foreign-nets", "--only", "survives_saving"])
    assert "1 of 1 checks passed" in only.output
    assert "network:" not in only.output


def test_command_leaves_checks_out_for_a_reason(install, monkeypatch):
    """A check that does not apply is skipped with the reason that is given, and not without one."""
    import sys

    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-nets", SOURCE.format(module="culprits", name="Greedy"))
    plugins.reload()
    chosen = ["check", "foreign-nets", "--only", "leaves_others_alone", "--only", "survives_saving"]
    skipped = CliRunner().invoke(program, [*chosen, "--skip", "leaves_others_alone=it reads any file, by design"])
    assert skipped.exit_code == 0, skipped.output
    assert "skipped architecture foreign: recognise() gives None" in skipped.output
    assert "[leaves_others_alone] it reads any file, by design" in skipped.output
    assert "1 of 1 checks passed, 1 skipped" in skipped.output
    for unreasoned in ("leaves_others_alone", "leaves_others_alone= "):
        refused = CliRunner().invoke(program, [*chosen, "--skip", unreasoned])
        assert refused.exit_code == 2
        assert "gives no reason; write it as --skip leaves_others_alone=" in refused.output
    unknown = CliRunner().invoke(program, ["check", "foreign-nets", "--skip", "leave_others_alone=why"])
    assert "did you mean 'leaves_others_alone'" in str(unknown.exception)


def test_checks_are_chosen_by_name():
    """``only`` runs some, ``skip`` leaves some out, under pytest as skipped tests with their reason."""
    srkit.testing.check_architecture(Greedy(), skip={"leaves_others_alone": "it reads any file, by design"})
    srkit.testing.check_architecture(Greedy(), only=["survives_saving", "traits_are_true"])
    with pytest.raises(srkit.ContractError):
        srkit.testing.check_architecture(Greedy(), only=["leaves_others_alone"])
    mark = srkit.testing.parametrise(
        Good(), only=["survives_saving", "traits_are_true"], skip={"survives_saving": "it never is"}
    )
    assert [(case.id, [m.kwargs for m in case.marks]) for case in mark.args[1]] == [
        ("good-traits_are_true", []),
        ("good-survives_saving", [{"reason": "it never is"}]),
    ]


def test_choices_that_mean_nothing_are_refused():
    """A check that is not there is told with what is, and a skip without a reason refused."""
    for choice in ({"only": ["survive_saving"]}, {"skip": {"survive_saving": "why"}}):
        with pytest.raises(srkit.UnknownName, match="did you mean 'survives_saving'"):
            srkit.testing.check_architecture(Good(), **choice)
    for reason in ("", " ", None):
        with pytest.raises(srkit.SettingsError, match="say why the contract does not apply"):
            srkit.testing.check_architecture(Good(), skip={"survives_saving": reason})


DIMMING = """
import srkit
from culprits import Dim, Glaring
@srkit.hookimpl
def srkit_register_degradations(register):
    register(srkit.DegradationSpec(name="dim", target=__name__ + ":{factory}", summary="Darker."))
"""


@pytest.mark.parametrize(
    ("factory", "words"), [("Dim", "9 of 9 checks passed"), ("Glaring", "clamp them"), ("srkit", "TypeError")]
)
def test_command_on_foreign_degradations(install, monkeypatch, factory, words):
    """'srkit check' makes a degradation of what is registered, without options, and holds it to the contracts."""
    import sys

    monkeypatch.setitem(sys.modules, "culprits", sys.modules[__name__])
    install("foreign-weather", DIMMING.format(factory=factory))
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "foreign-weather"])
    assert words in result.output
    assert result.exit_code == (factory != "Dim")


def test_command_reports_what_cannot_be_loaded(install):
    """A registered object that cannot be imported fails its check instead of ending the command."""
    source = """
import srkit
@srkit.hookimpl
def srkit_register_architectures(register):
    register(srkit.ArchitectureSpec(name="ghost", target="no.where:thing", summary="Not there."))
"""
    install("ghost-nets", source)
    plugins.reload()
    result = CliRunner().invoke(program, ["check", "ghost-nets"])
    assert result.exit_code == 1
    assert "[can_be_loaded] PluginError" in result.output
