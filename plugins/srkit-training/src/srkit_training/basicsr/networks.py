"""``network_g`` and ``network_d``, and the files they begin with."""

from __future__ import annotations

from typing import Any

import srkit
from srkit import plugins

from .ledger import Ledger


def network(ledger: Ledger, letter: str, to: str) -> dict[str, Any]:
    """What ``network_g`` or ``network_d`` says: an architecture that some plugin has, and its options."""
    key = f"network_{letter}"
    kind = str(ledger.get(f"{key}.type"))
    options = {
        name: ledger.take(f"{key}.{name}", f"{to}.options.{name}") for name in ledger.keys(key) if name != "type"
    }
    try:
        arch = plugins.current().architectures.find(kind).spec.name
    except (srkit.UnknownName, srkit.PluginError) as error:
        ledger.refuse(f"{key}.type", f"no installed plugin has this architecture: {error}")
        return {"arch": kind, "options": options}
    ledger.take(f"{key}.type", f"{to}.arch={arch}")
    return {"arch": arch, "options": options}


def weights(ledger: Ledger, letter: str, to: str) -> str | None:
    """The file that a network begins with."""
    key = f"pretrain_network_{letter}"
    strict = f"path.strict_load_{letter}"
    ledger.ignore(f"path.param_key_{letter}", why="averaged weights (params_ema) are taken where a file has them")
    ledger.ignore(strict, "path.strict_load", why="weights must always fit the whole network")
    names = (f"path.{key}", f"path.pretrain_model_{letter}")
    if ledger.get(strict, True) is False and any(ledger.get(name) for name in names):
        why = "strict_load is off, and srkit takes no part of a file; the network begins with random weights"
        ledger.ignore(*names, why=why)
        return None
    found = ledger.first(names, to)
    return None if found is None else str(found)
