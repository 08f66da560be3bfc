"""Small networks of every family: what tests build, and what docs/spandrel.md is made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SWIN = {"upscale": 2, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 2], "window_size": 8}

SAMPLES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "atd": {"": _SWIN | {"category_size": 16, "num_tokens": 8}},
    "aurasr": {
        "": {
            "dim": 8,
            "style_network": {"dim_in": 16, "dim_out": 64, "depth": 1},
            "attn_depths": (1, 1, 1, 1, 1),
            "mid_attn_depth": 1,
            "self_attn_dim_head": 4,
            "num_conv_kernels": 2,
        }
    },
    "craft": {"": {"embed_dim": 48, "depths": [1], "num_heads": [2], "upscale": 2}},
    "spandrel-compact": {"": {"num_feat": 16, "num_conv": 2, "upscale": 2}},
    "dat": {
        "": {"embed_dim": 32, "depth": [2, 2], "num_heads": [2, 2], "expansion_factor": 2.0, "split_size": [8, 16]},
        "light": {
            "embed_dim": 32,
            "depth": [2],
            "num_heads": [2],
            "expansion_factor": 2.0,
            "upsampler": "pixelshuffledirect",
            "split_size": [8, 32],
            "upscale": 3,
        },
    },
    "dctlsa": {"": {"nf": 20, "num_head": 5, "upscale": 2}},
    "ditn": {"": {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2}},
    "drct": {"": _SWIN | {"gc": 4}},
    "drunet": {"": {"nc": [8, 12, 16, 20], "nb": 2}, "grey": {"in_nc": 2, "out_nc": 1, "nc": [4, 4, 4, 4], "nb": 2}},
    "dncnn": {
        "": {"nc": 16, "nb": 9},
        "batch norm": {"nc": 8, "nb": 5, "act_mode": "BR"},
        "FDnCNN": {"in_nc": 4, "nc": 8, "nb": 9, "mode": "FDnCNN"},
    },
    "spandrel-esrgan": {
        "": {"num_filters": 16, "num_blocks": 1},
        "plus": {"num_filters": 8, "num_blocks": 1, "plus": True},
        "×8": {"num_filters": 8, "num_blocks": 1, "scale": 8},
        "×2": {"in_nc": 12, "num_filters": 8, "num_blocks": 1, "shuffle_factor": 2},
    },
    "fbcnn": {"": {"nc": [8, 12, 16, 512], "nb": 2}},
    "fdat": {
        "": {"embed_dim": 16, "num_groups": 1, "depth_per_group": 1, "num_heads": 2, "scale": 2},
        "pixelshuffle": {
            "embed_dim": 16,
            "num_groups": 1,
            "depth_per_group": 1,
            "num_heads": 2,
            "mid_dim": 24,
            "upsampler_type": "pixelshuffle",
        },
    },
    "fftformer": {"": {"dim": 12, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1}},
    "gfpgan": {"": {}},
    "grl": {
        "": {
            "embed_dim": 12,
            "upscale": 1,
            "upsampler": "",
            "depths": [2, 2],
            "num_heads_window": [2, 2],
            "num_heads_stripe": [2, 2],
            "mlp_ratio": 2.0,
            "stripe_shift": True,
            "anchor_window_down_factor": 2,
        }
    },
    "hat": {"": _SWIN | {"compress_ratio": 3, "squeeze_factor": 6, "num_feat": 16}},
    "hvicidnet": {"": {"channels": [8, 8, 16, 16], "heads": [1, 2, 2, 2]}},
    "ipt": {"": {"patch_size": 12, "n_feats": 8, "num_heads": 12, "num_layers": 1, "scale": [2]}},
    "kbnet": {
        "": {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
        "large": {
            "variant": "KBNet_l",
            "dim": 24,
            "num_blocks": [1, 1, 1, 1],
            "num_refinement_blocks": 1,
            "heads": [1, 1, 1, 1],
        },
    },
    "lama": {"": {}},
    "mmrealsr": {"": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4, "num_feats": [8, 8, 8, 8]}},
    "mixdehazenet": {"": {"embed_dims": [8, 8, 16, 8, 8]}},
    "moesr": {
        "": {"dim": 16, "n_blocks": 1, "n_block": 1, "scale": 2},
        "pixelshuffle": {"dim": 16, "n_blocks": 1, "n_block": 1, "upsampler": "pixelshuffle", "upsample_dim": 24},
    },
    "mosr": {
        "": {"dim": 16, "n_block": 2, "upscale": 2},
        "gps": {"dim": 16, "n_block": 2, "upscale": 2, "upsampler": "gps"},
        "dys": {"dim": 16, "n_block": 2, "upscale": 2, "upsampler": "dys"},
    },
    "nafnet": {"": {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]}},
    "omnisr": {"": {"num_feat": 16, "res_num": 1, "up_scale": 2}},
    "plksr": {
        "": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
        "sparse": {"dim": 16, "n_blocks": 2, "lk_type": "RectSparsePLK", "ccm_type": "DCCM", "use_ea": False},
        "Real": {"variant": "RealPLKSR", "dim": 16, "n_blocks": 2, "upscaling_factor": 2},
        "Real, layer norm": {"variant": "RealPLKSR", "dim": 16, "n_blocks": 2, "layer_norm": True},
        "Real, DySample": {"variant": "RealPLKSR", "dim": 16, "n_blocks": 2, "dysample": True},
    },
    "rcan": {"": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 16, "scale": 2}},
    "rgt": {"": {"embed_dim": 32, "depth": [2, 2], "num_heads": [2, 2], "mlp_ratio": 2.0, "split_size": [8, 16]}},
    "realcugan": {
        "": {},
        "×3": {"variant": "UpCunet3x"},
        "×4": {"variant": "UpCunet4x"},
        "fast": {"variant": "UpCunet2x_fast"},
    },
    "restoreformer": {
        "": {
            "ch": 64,
            "ch_mult": (1, 1, 1, 1, 1, 2),
            "n_embed": 32,
            "num_res_blocks": 1,
            "z_channels": 64,
            "embed_dim": 16,
        }
    },
    "retinexformer": {"": {"n_feat": 8, "stage": 1}},
    "safmn": {"": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2}},
    "safmnbcie": {"": {"dim": 16, "n_blocks": 1, "num_layers": 1}},
    "scunet": {"": {"config": [1] * 7, "dim": 64}},
    "span": {
        "": {"feature_channels": 16, "upscale": 2},
        "without norm": {"feature_channels": 16, "upscale": 4, "norm": False},
    },
    "seemore": {"": {"embedding_dim": 12, "num_experts": 2, "num_layers": 1, "scale": 2}},
    "swiftsrgan": {"": {"num_channels": 16, "num_blocks": 2}},
    "swin2sr": {"": _SWIN | {"upsampler": "pixelshuffledirect"}},
    "swinir": {"": _SWIN, "nearest": _SWIN | {"upscale": 4, "upsampler": "nearest+conv"}},
    "uformer": {"": {"embed_dim": 8, "depths": [1] * 9, "num_heads": [1, 1, 2, 2, 2, 2, 2, 1, 1]}},
}
"""Architecture → what distinguishes one → configuration; the first, "", is the plain one."""
