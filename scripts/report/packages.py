"""The packages that are no part of Python; the other modules import them from here. One that cannot be loaded ends the report with what
to do."""
import importlib
import sys


def refuse(what):
    print(f"vpoint: {sys.executable} {what}", file=sys.stderr)
    sys.exit(3)


def remedy(names):
    """Debian's own Python has its packages from Debian; any other has to be given them by who named it."""
    if sys.executable == "/usr/bin/python3":
        packages = " ".join(f"python3-{name}" for name in names)
        return f"scripts/setup.sh installs what is needed (apt-get install {packages})"
    return f"install it with `{sys.executable} -m pip install {' '.join(names)}`, or name another Python in VPOINT_PYTHON"


def load(names):
    faults = {}
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            faults[name] = f"lacks {name}" if error.name == name else f"cannot load {name}: {error}"
        except Exception as error:  # what a package that does not fit raises is its own choice
            faults[name] = f"cannot load {name}: {error}"
    if faults:
        refuse(f"{' and '.join(faults.values())}; {remedy(faults)}")


if sys.version_info < (3, 11):
    refuse(f"is Python {sys.version.split()[0]}; the report needs 3.11 or newer (VPOINT_PYTHON names the interpreter)")
load(["pandas", "plotly"])

import pandas as pd  # noqa: E402
from plotly.offline import get_plotlyjs  # noqa: E402

__all__ = ["get_plotlyjs", "pd"]
