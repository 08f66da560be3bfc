"""Which input belongs to which target, told by their names."""

from __future__ import annotations

from collections import Counter

import srkit

from .pictures import Source


def check_template(lq_name: object) -> None:
    """Raise SettingsError unless ``lq_name`` makes an input's name of a target's."""
    if not isinstance(lq_name, str) or lq_name.count("{}") != 1:
        raise srkit.SettingsError(
            f"lq_name={lq_name!r} must hold {{}} once, where the target's name goes, as in '{{}}x4'"
        )


def partners(gt: Source, lq: Source, lq_name: str = "{}") -> list[int]:
    """For each target the number of its input.

    The input's key is the target's with its last part put into ``lq_name``. Raises DatasetError if one is missing, or could
    be either of two.
    """
    repeated = [key for key, count in Counter(lq.keys).items() if count > 1]
    if repeated:
        raise srkit.DatasetError(f"several inputs are called {repeated[0]!r} but for their suffix; rename or list them")
    known = {key: place for place, key in enumerate(lq.keys)}
    wanted = [_renamed(key, lq_name) for key in gt.keys]
    missing = [key for key in wanted if key not in known]
    if missing:
        raise srkit.DatasetError(
            f"{len(missing)} of {len(wanted)} targets have no input; {missing[0]!r} is the first that is not there. Say how "
            f"inputs are called with lq_name, or list the pairs"
        )
    return [known[key] for key in wanted]


def _renamed(key: str, template: str) -> str:
    folder, slash, name = key.rpartition("/")
    return folder + slash + template.replace("{}", name)
