"""Which families of networks spandrel has, as data: free of torch and of spandrel.

Names are spandrel's in lower case, but for two networks that srkit has under these names itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Family:
    """A family of networks.

    ``id``: spandrel's name of it. ``defaults``: what ``build`` takes beside or instead of the defaults of the family's
    first class, which has none for some arguments, or is for grey pictures. ``alone``: spandrel runs such a network on
    one picture at a time, or it mixes them. ``writes``: it writes into what it is given. ``draws``: it draws random numbers.
    ``maximum``: rows and columns that it takes at most.
    """

    id: str
    name: str
    summary: str
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    alone: bool = False
    writes: bool = False
    draws: bool = False
    maximum: int | None = None

    @property
    def attribute(self) -> str:
        """What the architecture is called in :mod:`srkit_archs_spandrel.bridge`."""
        return self.name.replace("-", "_")


_PUBLISHED = {"upscale": 4, "upsampler": "pixelshuffle", "embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6}
_AURA = {
    "dim": 64,
    "image_size": None,
    "input_image_size": None,
    "style_network": {"dim_in": 128, "dim_out": 512, "depth": 4},
    "skip_connect_scale": 0.4,
}

FAMILIES = (
    Family(
        "ATD", "atd", "ATD: attention to a dictionary of tokens (Zhang et al., 2024).", _PUBLISHED | {"embed_dim": 210}
    ),
    Family(
        "AuraSR",
        "aurasr",
        "AuraSR: after GigaGAN (fal, 2024); ×4, very large.",
        _AURA,
        alone=True,
        draws=True,
    ),
    Family("CRAFT", "craft", "CRAFT: attention guided by high frequencies (Li et al., 2023)."),
    Family("Compact", "spandrel-compact", "SRVGGNetCompact, as spandrel reads it; 'srvgg' is asked first."),
    Family("DAT", "dat", "DAT: attention over space and channels in turns (Chen et al., 2023)."),
    Family("DCTLSA", "dctlsa", "DCTLSA: attention in dense connections (Zeng et al., 2023).", alone=True),
    Family("DITN", "ditn", "DITN: a transformer made for deployment (Liu et al., 2023)."),
    Family("DRCT", "drct", "DRCT: dense connections between Swin blocks (Hsu et al., 2024).", _PUBLISHED),
    Family(
        "DRUNet",
        "drunet",
        "DRUNet: a U-Net that removes noise (Zhang et al., 2021); ×1.",
        {"in_nc": 4, "out_nc": 3},
        True,
    ),
    Family(
        "DnCNN",
        "dncnn",
        "DnCNN, FDnCNN: plain convolutions that remove noise (Zhang et al., 2017); ×1.",
        {"in_nc": 3, "out_nc": 3, "nb": 20, "act_mode": "R"},
        True,
    ),
    Family("ESRGAN", "spandrel-esrgan", "ESRGAN, with ESRGAN+ and other scales than 'rrdb', which is asked first."),
    Family("FBCNN", "fbcnn", "FBCNN: removes traces of JPEG (Jiang et al., 2021); ×1."),
    Family("FDAT", "fdat", "FDAT: DAT made faster (Sharekhan, 2025)."),
    Family("FFTformer", "fftformer", "FFTformer: sharpens in the frequency domain (Kong et al., 2023); ×1."),
    Family(
        "GFPGAN",
        "gfpgan",
        "GFPGAN: restores one face, cut out and aligned, of 512×512 (Wang et al., 2021); ×1.",
        alone=True,
        draws=True,
        maximum=512,
    ),
    Family(
        "GRL", "grl", "GRL: attention at three ranges (Li et al., 2023).", {"upscale": 4, "upsampler": "pixelshuffle"}
    ),
    Family(
        "HAT",
        "hat",
        "HAT: attention over channels and overlapping windows (Chen et al., 2023).",
        _PUBLISHED | {"window_size": 16, "mlp_ratio": 2.0},
    ),
    Family("HVICIDNet", "hvicidnet", "HVI-CIDNet: brightens dark photos (Yan et al., 2024); ×1."),
    Family("IPT", "ipt", "IPT: a transformer over patches (Chen et al., 2021).", alone=True),
    Family("KBNet", "kbnet", "KBNet: learnt bases of kernels (Zhang et al., 2023); ×1."),
    Family(
        "LaMa",
        "lama",
        "LaMa: fills in what a mask, its fourth channel, leaves out (Suvorov et al., 2022); ×1.",
        {"in_nc": 4},
    ),
    Family(
        "MMRealSR",
        "mmrealsr",
        "MM-RealSR: RRDB told by the degradation it finds (Mou et al., 2022).",
        {"num_in_ch": 3, "num_out_ch": 3},
    ),
    Family("MixDehazeNet", "mixdehazenet", "MixDehazeNet: removes haze (Lu et al., 2023); ×1."),
    Family("MoESR", "moesr", "MoESR: gated convolutions (umzi, 2024)."),
    Family("MoSR", "mosr", "MoSR: gated convolutions after MambaOut (umzi, 2024)."),
    Family(
        "NAFNet",
        "nafnet",
        "NAFNet: restores without activation functions (Chen et al., 2022); ×1.",
        {"width": 32, "middle_blk_num": 12, "enc_blk_nums": [2, 2, 4, 8], "dec_blk_nums": [2, 2, 2, 2]},
    ),
    Family("OmniSR", "omnisr", "OmniSR: attention along all axes (Wang et al., 2023).", {"res_num": 5}),
    Family("PLKSR", "plksr", "PLKSR, RealPLKSR: large kernels over part of the channels (Lee et al., 2024)."),
    Family("RCAN", "rcan", "RCAN: residuals in residuals, attention over channels (Zhang et al., 2018).", writes=True),
    Family("RGT", "rgt", "RGT: attention that gathers the whole picture (Chen et al., 2024)."),
    Family("RealCUGAN", "realcugan", "Real-CUGAN: two U-Nets for anime (Bilibili, 2022)."),
    Family(
        "RestoreFormer",
        "restoreformer",
        "RestoreFormer: restores one face, cut out and aligned (Wang et al., 2022); ×1.",
    ),
    Family("RetinexFormer", "retinexformer", "Retinexformer: brightens dark photos (Cai et al., 2023); ×1."),
    Family("SAFMN", "safmn", "SAFMN: features modulated at several sizes (Sun et al., 2023).", {"dim": 36}),
    Family("SAFMNBCIE", "safmnbcie", "SAFMN that removes traces of compression (Sun et al., 2024); ×1.", {"dim": 96}),
    Family("SCUNet", "scunet", "SCUNet: removes noise, Swin blocks in a U-Net (Zhang et al., 2022); ×1."),
    Family(
        "SPAN",
        "span",
        "SPAN: attention without parameters; small and fast (Wan et al., 2024).",
        {"num_in_ch": 3, "num_out_ch": 3},
    ),
    Family(
        "SeemoRe", "seemore", "SeemoRe: experts of low rank (Zamfir et al., 2024).", {"embedding_dim": 36}, alone=True
    ),
    Family("SwiftSRGAN", "swiftsrgan", "Swift-SRGAN: separable convolutions (Krishnan et al., 2021)."),
    Family(
        "Swin2SR",
        "swin2sr",
        "Swin2SR: SwinIR with Swin v2 (Conde et al., 2022).",
        _PUBLISHED | {"window_size": 8, "mlp_ratio": 2.0},
    ),
    Family(
        "SwinIR",
        "swinir",
        "SwinIR: attention in shifted windows (Liang et al., 2021).",
        _PUBLISHED | {"window_size": 8, "mlp_ratio": 2.0},
    ),
    Family("Uformer", "uformer", "Uformer: windows in a U-Net (Wang et al., 2022); ×1."),
)
