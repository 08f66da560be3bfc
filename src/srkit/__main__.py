"""``python -m srkit``."""

from .cli import main

main()
