"""The pipeline: exact, lazy, the same for strips as for whole pictures; and what it says when things go wrong."""

import os
import weakref
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import compact, cut, nearest, pictures, scales, sides

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

import srkit  # noqa: E402
from srkit import plugins, whole  # noqa: E402
from srkit.errors import ImageError, NonFiniteOutput  # noqa: E402
from srkit.pixels import layout_of  # noqa: E402
from srkit.whole import full_precision  # noqa: E402


class RowByRow:
    """An engine for networks that look at one row only: each strip through the network as it comes."""

    name = "row-by-row"

    def prepare(self, network, settings):
        def stream(strips, size):
            for strip in strips:
                yield network(strip.to(settings.dtype))

        return stream


engine = RowByRow()


@pytest.fixture(scope="module")
def by_rows():
    """``nearest`` on an engine that streams, registered as a plugin would register it."""
    spec = srkit.UpsamplerSpec(name="row-by-row", target=f"{__name__}:engine", summary="Strips as they come.")
    plugins.reload().upsamplers.add(spec, plugins.current().reports[0])
    upscaler = nearest(2, engine="row-by-row")
    assert upscaler.engine == "row-by-row"
    return upscaler


def picture(height, width, batch=1, channels=3):
    """Random planes as a network takes them."""
    values = np.random.default_rng(height * 31 + width).random((batch, channels, height, width), dtype=np.float32)
    return torch.from_numpy(values)


def forward(upscaler, image):
    """The plain forward of its network on the channels-last tensor."""
    with torch.inference_mode():
        return upscaler.loaded.network(image.contiguous(memory_format=torch.channels_last))


@given(st.data(), sides, sides, st.integers(1, 2), st.sampled_from((1, 3)))
def test_stream_is_the_forward_of_the_network(data, height, width, batch, channels):
    """For any cut into strips the float output equals the plain forward in every bit."""
    upscaler, image = compact(channels=channels), picture(height, width, batch, channels)
    strips = data.draw(cut(image, axis=2))
    out = torch.cat(list(upscaler.stream(iter(strips), (height, width))), 2)
    assert torch.equal(out, forward(upscaler, image))


@pytest.mark.parametrize("scale", [1, 2, 4])
@given(data=st.data(), height=sides, width=sides, pre_pad=st.integers(0, 12))
def test_alignment_is_by_reflection(scale, data, height, width, pre_pad):
    """Sizes a network cannot take are padded like numpy.pad(mode="reflect"), by pre_pad more, and cropped."""
    rrdb = pytest.importorskip("srkit_archs_realesrgan.rrdb")
    config = {"scale": scale, "num_feat": 8, "num_block": 1, "num_grow_ch": 4}
    traits = rrdb.architecture.traits(**config)
    upscaler = srkit.Upscaler.from_network(
        rrdb.architecture.build(**config), traits, engine="whole", device="cpu", pre_pad=pre_pad
    )
    image = picture(height, width)
    ends = [(0, pre_pad + -(side + pre_pad) % traits.multiple_of) for side in (height, width)]
    padded = torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), *ends], mode="reflect"))
    assert all(side % traits.multiple_of == 0 for side in padded.shape[2:])
    expected = forward(upscaler, padded)[..., : height * scale, : width * scale]
    strips = data.draw(cut(image, axis=2))
    assert torch.equal(torch.cat(list(upscaler.stream(strips, (height, width))), 2), expected)


@given(
    data=st.data(),
    img=pictures(),
    scale=scales,
    alpha=st.sampled_from(("network", "resize")),
    order=st.sampled_from(("rgb", "bgr")),
)
def test_strips_give_the_whole_picture(by_rows, data, img, scale, alpha, order):
    """Fed and run strip by strip, a picture of any layout comes out as it does at once, in every bit."""
    whole = nearest(2)(img, scale=scale, alpha=alpha, order=order)
    strips = iter(data.draw(cut(img)))
    rows = by_rows.strips(strips, layout_of(img), whole.shape[:2], alpha=alpha, order=order)
    assert np.array_equal(np.concatenate(list(rows)), whole)


@pytest.mark.parametrize("alpha", ["network", "resize"])
@pytest.mark.parametrize("scale", [0.5, 2, 3.7])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_rows_leave_before_the_picture_has_come(by_rows, channels, scale, alpha):
    """With an engine that streams, the pipeline asks for input only as it needs it."""
    pulled, height = [], 1200

    def strips():
        for top in range(0, height, 4):
            pulled.append(top)
            yield np.random.default_rng(top).random((4, 5, channels), dtype=np.float32)

    layout = srkit.pixels.Layout(height, 5, channels, np.dtype("float32"), flat=False)
    done = 0
    for rows in by_rows.strips(strips(), layout, (round(height * scale), round(5 * scale)), alpha=alpha):
        done += len(rows)
        # Stages may go by 64 rows of their own; a kernel of half the size reaches 12 rows.
        assert 4 * len(pulled) <= (done + 64) / scale + 64 + 12
    assert done == round(height * scale)
    assert 4 * len(pulled) == height


class Demanding(torch.nn.Module):
    """Takes 12 rows and columns or more; has weights of five dimensions."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 3, 1, 1, 1))

    def forward(self, x):
        assert min(x.shape[-2:]) >= 12
        return x * self.weight[:, :, 0]


@pytest.mark.parametrize("pre_pad", [0, 3])
@pytest.mark.parametrize("size", [(1, 1), (5, 30), (12, 11), (13, 40)])
def test_small_pictures_are_padded_to_what_the_network_takes(size, pre_pad):
    """A network with a least size runs on smaller pictures too; what was padded is cut off again."""
    traits = srkit.Traits(scale=1, minimum=12)
    upscaler = srkit.Upscaler.from_network(Demanding(), traits, engine="whole", device="cpu", pre_pad=pre_pad)
    img = np.random.default_rng(0).random((*size, 3), np.float32)
    assert np.array_equal(upscaler(img), img)


@pytest.mark.parametrize(
    ("size", "pre_pad", "told"), [((17, 4), 0, "4×17"), ((4, 17), 0, "17×4"), ((9, 12), 5, "12×9 with pre_pad=5")]
)
def test_pictures_beyond_what_the_network_takes(size, pre_pad, told):
    """A network with a largest size refuses larger pictures, before anything is read; others it takes."""
    traits = srkit.Traits(scale=1, minimum=12, maximum=16)
    upscaler = srkit.Upscaler.from_network(
        Demanding(), traits, engine="whole", device="cpu", pre_pad=pre_pad, name="faces"
    )
    with pytest.raises(ImageError, match=f"a picture of {told} is too large for faces, which takes 16×16 at most"):
        upscaler(np.zeros((*size, 3), np.float32))
    with pytest.raises(ImageError, match="takes 16×16 at most"):
        upscaler.explain(size)
    img = np.random.default_rng(0).random((16 - pre_pad, 3, 3), np.float32)
    assert np.array_equal(upscaler(img), img)


class Flattening(torch.nn.Module):
    """Adds what is made of all values of the picture, seen in their order in memory."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x).view(len(x), -1).cumsum(1).view_as(x) / 1000


@pytest.mark.parametrize("options", [{"engine": "whole"}, {"engine": "tiles", "halo": 0, "rows": 40}, {}])
def test_views_that_want_contiguous_tensors(options):
    """A network whose views fail on channels-last tensors is run on contiguous ones, its weights laid out alike."""
    if options.get("engine") == "tiles":
        pytest.importorskip("srkit_engine_tiled")
    torch.manual_seed(0)
    network = Flattening()
    upscaler = srkit.Upscaler.from_network(network, srkit.Traits(scale=1), device="cpu", **options)
    picture = torch.rand(1, 3, 9, 40)
    with torch.no_grad():
        expected = network(picture)
    for _ in range(2):
        (rows,) = upscaler.stream([picture], (9, 40))
        assert torch.equal(rows, expected)


def test_views_of_a_network_prepared_twice():
    """A network that was found to want contiguous tensors, and is prepared once more, runs as it did."""
    network = Flattening()
    settings = srkit.Settings(device=torch.device("cpu"), dtype=torch.float32, traits=srkit.Traits(scale=1))
    picture = torch.rand(1, 3, 9, 40)
    with torch.no_grad():
        expected = network(picture)
        for _ in range(2):
            (out,) = whole.upsampler.prepare(network, settings)(iter([picture]), (9, 40))
            assert torch.equal(out, expected)


class Spoilt(torch.nn.Module):
    """Repeats pixels; where the input is white it gives ``value``."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.where(x == 1, self.value, x).repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("precision", "remedy"),
    [
        ("float32", "weights are damaged"),
        ("float16", "use precision='float32', or 'bfloat16'"),
        ("bfloat16", "damaged"),
    ],
)
def test_a_result_that_is_no_number_is_refused(value, precision, remedy):
    """NaN or infinity is an error that names the network, the row and a remedy that is not already in use."""
    upscaler = srkit.Upscaler.from_network(
        Spoilt(value), srkit.Traits(scale=2), engine="whole", device="cpu", precision=precision, name="spoilt"
    )
    img = np.zeros((5, 6, 3), np.uint8)
    assert not upscaler(img).any()
    img[3, 2] = 255
    with pytest.raises(
        NonFiniteOutput, match=rf"spoilt gave NaN or infinity in {precision} \(first in output row 6\).*{remedy}"
    ):
        upscaler(img)


def test_the_row_of_a_result_that_is_no_number_is_the_pictures(by_rows):
    """Run strip by strip, the row told is counted from the top of the picture."""
    image = torch.zeros(1, 3, 6, 5)
    image[0, 1, 4, 2] = float("nan")
    with pytest.raises(NonFiniteOutput, match="first in output row 8"):
        list(by_rows.stream(image.split(2, dim=2), (6, 5)))


def test_an_overflowing_sum_is_no_infinity():
    """A large bright picture is not refused because its sum has no place in float16."""
    out = nearest(2, precision="float16")(np.full((300, 300), 255, np.uint8))
    assert (out == 255).all()


@pytest.mark.parametrize(
    ("strips", "message"),
    [
        ([torch.zeros(1, 4, 4, 5)], r"at row 0 has shape \(1, 4, 4, 5\); expected \(., 3, h, 5\)"),
        ([torch.zeros(1, 3, 2, 5), torch.zeros(1, 3, 2, 6)], r"at row 2 has shape \(1, 3, 2, 6\)"),
        ([torch.zeros(1, 3, 2, 5), torch.zeros(2, 3, 2, 5)], r"at row 2 has shape \(2, 3, 2, 5\)"),
        ([torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 0, 5)], r"h ≥ 1"),
        ([torch.zeros(1, 3, 3, 5)], r"ended after 3 rows, but size=\(4, 5\) announced 4"),
        ([], r"ended after 0 rows"),
        ([torch.zeros(1, 3, 5, 5)], r"hold 5 rows or more, but size=\(4, 5\) announced 4"),
        ([torch.zeros(1, 3, 4, 5, dtype=torch.uint8)], r"must be a float tensor \(B, C, h, W\), not torch.uint8"),
        ([torch.zeros(3, 4, 5)], r"must be a float tensor .*\(3, 4, 5\)"),
        ([np.zeros((1, 3, 4, 5), np.float32)], r"must be a float tensor .*not ndarray"),
    ],
    ids=["channels", "width", "batch", "no rows", "few", "none", "many", "integers", "axes", "array"],
)
def test_strips_that_make_no_picture_are_refused(strips, message):
    """The error names the row and the shape, and what was expected."""
    with pytest.raises(ImageError, match=message):
        list(nearest(2).stream(strips, (4, 5)))
    with pytest.raises(ImageError, match=r"size=\(0, 5\) is not a picture's"):
        list(nearest(2).stream(strips, (0, 5)))


def test_progress_counts_the_rows_of_the_result():
    """A progress function is called with (rows done, rows in all), upwards, and ends at all of them."""
    seen = []
    nearest(2)(np.zeros((100, 4), np.uint8), scale=3, progress=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert len(seen) > 1
    assert done == sorted(set(done))
    assert seen[-1] == (300, 300)
    assert {step[1] for step in seen} == {300}


@pytest.fixture
def weights(tmp_path):
    """A weight file, and a function that writes another network's weights of the same size into it."""
    srvgg = pytest.importorskip("srkit_archs_realesrgan.srvgg")
    path = tmp_path / "small.safetensors"

    def write(seed):
        torch.manual_seed(seed)
        network = srvgg.SRVGGNetCompact(num_feat=4, num_conv=1, upscale=2)
        save_file(network.state_dict(), path)
        os.utime(path, ns=(seed, seed))

    write(0)
    return path, write


def test_a_loop_over_pictures_loads_weights_once(weights, monkeypatch):
    """Calls of upscale that want the same network share it; options of the picture make no difference."""
    loads, load = [], srkit.load
    monkeypatch.setattr("srkit.api.load", lambda *a, **k: loads.append(a) or load(*a, **k))
    img = np.random.default_rng(0).integers(0, 256, (6, 7, 4), np.uint8)
    first = srkit.upscale(img, weights=weights[0])
    assert np.array_equal(srkit.upscale(img, weights=str(weights[0])), first)
    assert srkit.upscale(img, weights=weights[0], scale=3, alpha="resize", order="bgr").shape == (18, 21, 4)
    assert len(loads) == 1
    assert np.array_equal(load(weights=weights[0])(img), first)
    srkit.upscale(img, weights=weights[0], pre_pad=2)
    assert len(loads) == 2


def test_a_replaced_weight_file_is_noticed(weights):
    """A file with new contents is read again, though its name and its size stay."""
    path, write = weights
    img = np.random.default_rng(0).random((6, 7, 3), dtype=np.float32)
    old = srkit.upscale(img, weights=path)
    write(1)
    new = srkit.upscale(img, weights=path)
    assert not np.array_equal(new, old)
    assert np.array_equal(new, srkit.load(weights=path)(img))


def test_one_network_for_two_upscalers():
    """A loaded network stays as it is, however many upscalers of whatever precision are made of it."""
    loaded = compact().loaded
    first = srkit.Upscaler.from_network(loaded, engine="whole", device="cpu")
    img = np.random.default_rng(0).random((9, 7, 3), np.float32)
    before = first(img)
    srkit.Upscaler.from_network(loaded, engine="whole", device="cpu", precision="bfloat16")
    assert np.array_equal(first(img), before)
    assert all(p.dtype is torch.float32 for p in loaded.network.parameters())


def test_a_picture_too_large_for_the_memory_is_refused_beforehand(monkeypatch):
    """Where the widest layer alone needs more than is free, that is said before the work, with both figures."""
    monkeypatch.setattr("srkit.whole.free_memory", lambda device: 10**6)
    with pytest.raises(srkit.OutOfMemory, match="need 0 GB and more, but 0 GB are free"):
        compact()(np.zeros((300, 300, 3), np.uint8))
    compact()(np.zeros((10, 10, 3), np.uint8))


def test_an_engine_that_refuses_makes_way(install):
    """A preferred engine that cannot run the network is passed over, unless it was asked for; all refusals are told."""
    source = """
import srkit
class Picky:
    name = "picky"
    def prepare(self, network, settings):
        raise srkit.NotStreamable("attention cannot be streamed", "attention")
upsampler = Picky()
@srkit.hookimpl
def srkit_register_upsamplers(register):
    register(srkit.UpsamplerSpec(name="picky", target=__name__ + ":upsampler", summary="Refuses.", preference=99))
"""
    install("picky", source)
    plugins.reload()
    loaded = compact().loaded
    assert srkit.Upscaler.from_network(loaded).engine == "stream"
    with pytest.raises(srkit.NotStreamable, match="attention"):
        srkit.Upscaler.from_network(loaded, engine="picky")
    with pytest.raises(srkit.SettingsError, match="no engine can do this. picky: attention.* stream: .*whole: memory="):
        srkit.Upscaler.from_network(loaded, halo=3, memory="1GB")


def test_an_ncnn_model_whose_weights_are_replaced(tmp_path):
    """upscale() notices that the .bin beside a .param is another file."""
    lines = ["7767517", "2 2", "Input data 0 1 data", "Convolution a 1 1 data a 0=3 1=3 4=1 5=1 6=81 9=1"]
    lines += ["Convolution b 1 1 a output 0=3 1=3 4=1 5=1 6=81"]
    lines[1] = "3 3"
    (tmp_path / "n.param").write_text("\n".join(lines))

    def write(seed):
        rng = np.random.default_rng(seed)
        parts = [b"\0" * 4, rng.random(81, np.float32) / 40, rng.random(3, np.float32) / 40] * 2
        (tmp_path / "n.bin").write_bytes(b"".join(bytes(part) for part in parts))

    img = np.full((6, 6, 3), 0.01, np.float32)
    results = []
    for seed in (1, 2):
        write(seed)
        results.append(srkit.upscale(img, weights=tmp_path / "n.param", engine="whole"))
    assert not np.array_equal(*results)


def test_an_engine_that_gives_nothing(monkeypatch):
    """An engine without output is an error that names it, not a picture of chance."""
    import attrs

    silent = attrs.evolve(nearest(2), stream=lambda strips, size: iter(()))
    with pytest.raises(srkit.SettingsError, match="gave 0 rows"):
        silent(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("size", [5, (3,), (3.5, 2), (8, 8, 8), "ab", (0, 4), [4, 4]])
def test_a_size_that_is_none(size):
    """Anything but two whole numbers of 1 or more is refused, and so is a scale beside a size."""
    with pytest.raises(srkit.SettingsError, match="is not a size"):
        nearest(2)(np.zeros((4, 4, 3), np.uint8), size=size)
    with pytest.raises(srkit.SettingsError, match="both say how large"):
        nearest(2)(np.zeros((4, 4, 3), np.uint8), size=(4, 4), scale=2)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from((None, 1, 2, 3, 4)),
    dtype=st.sampled_from(("uint8", "uint16", "float32")),
    scale=st.sampled_from((None, 1.5)),
    alpha=st.sampled_from(("network", "resize")),
    seed=st.integers(0, 99),
)
def test_a_batch_is_its_pictures(shape, channels, dtype, scale, alpha, seed):
    """Pictures side by side give, bit for bit, what each gives by itself: of any depth, channels, scale and transparency."""
    rng = np.random.default_rng(seed)
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    images = [(rng.random(shape if channels is None else (*shape, channels)) * white).astype(dtype) for _ in range(3)]
    if channels in {2, 4}:
        images[0][..., -1] = white
    upscaler = compact()
    results = upscaler.batch(images, scale=scale, alpha=alpha)
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result, upscaler(image, scale=scale, alpha=alpha))


def test_a_large_batch_is_its_pictures():
    """So it is where torch no longer takes another kernel for a single picture than for several."""
    images = [np.random.default_rng(seed).integers(0, 256, (90, 120, 3), dtype=np.uint8) for seed in range(3)]
    upscaler = compact()
    for image, result in zip(images, upscaler.batch(images), strict=True):
        np.testing.assert_array_equal(result, upscaler(image))


def test_a_batch_that_is_none():
    """No pictures are no results; pictures that differ are refused."""
    assert nearest(2).batch([]) == []
    with pytest.raises(ImageError, match="one shape and dtype"):
        nearest(2).batch([np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)])


def test_rows_of_another_depth():
    """A result may be asked for in another depth than the picture's, and is rounded to it once."""
    img = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    upscaler = compact()
    (exact,) = upscaler.strips(iter([img]), layout_of(img), upscaler.result_size((9, 7)), dtype="float32")
    (sixteen,) = upscaler.strips(iter([img]), layout_of(img), upscaler.result_size((9, 7)), dtype="uint16")
    assert exact.dtype == np.float32
    np.testing.assert_array_equal(sixteen, np.rint(exact * np.float32(65535)).astype(np.uint16))


def test_a_strip_is_let_go_before_the_next_is_made(monkeypatch):
    """An engine that gives large strips has one of them in memory, not two: nobody holds the last while it makes the next."""
    given: list[weakref.ref[torch.Tensor]] = []

    def large(strips, size):
        for strip in strips:
            assert all(reference() is None for reference in given)
            rows = strip.repeat(1, 1, 1, 1)
            del strip
            given.append(weakref.ref(rows))
            yield rows
            del rows

    monkeypatch.setattr("srkit.upscaler._AT_ONCE", 500)  # values beyond which a strip counts as large
    upscaler = attrs.evolve(nearest(1), stream=large)
    image = np.zeros((40, 30, 3), np.uint8)
    parts = upscaler.strips(iter([image[:20], image[20:]]), layout_of(image), (40, 30))
    assert sum(map(len, parts)) == 40
    assert len(given) == 2


def test_the_switch_of_precision_is_turned_back_by_the_last_thread():
    """Convolutions of one thread are never computed in TF32 because another has finished."""
    switch = torch.backends.cudnn.conv
    image = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32)
    before = switch.fp32_precision
    one, two = full_precision(image), full_precision(image)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert switch.fp32_precision == "ieee"
    two.__exit__(None, None, None)
    assert switch.fp32_precision == before != "ieee"
