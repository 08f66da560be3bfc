"""What options of Real-ESRGAN's programs are called here, told to those who type them."""

from __future__ import annotations

import click

_TILES = "leave it out: no tiles are needed, and --memory says how much may be used"
FORMERLY = {
    "-i": "inputs are arguments: srkit upscale IN… -o OUT",
    "--input": "inputs are arguments: srkit upscale IN… -o OUT",
    "-n": "say --model NAME",
    "--model_name": "say --model NAME",
    "--model_path": "say --weights FILE",
    "-d": "-dn is --denoise now",
    "--denoise_strength": "say --denoise",
    "--outscale": "say --scale",
    "-t": _TILES,
    "--tile_pad": _TILES,
    "--pre_pad": "say --pre-pad",
    "--face_enhance": "faces are not restored apart; leave it out",
    "--fp32": "leave it out: it is the default",
    "--alpha_upsampler": "say --alpha",
    "--ext": "say --format",
    "-g": "say --device cuda:N",
    "--gpu-id": "say --device cuda:N",
}
"""Option → what to do instead."""


class Command(click.Command):
    """A command that knows these options, and says what they have become."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See :meth:`click.Command.parse_args`."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            now = FORMERLY.get(error.option_name)
            if now is None:
                raise
            raise click.UsageError(f"{error.option_name} is an option of Real-ESRGAN's: {now}", ctx) from error
