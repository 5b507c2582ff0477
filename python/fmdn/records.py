"""Records: in which words priors say what they are, to people and to files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Give numbers and arrays in the types of JSON, exactly."""
    if np.ndim(value):
        return [plain(entry) for entry in value]
    return float(value) if np.isfinite(value) else str(float(value))


def digits(values: Any) -> list:
    """Give the digits of numbers that do not depend on the machine."""
    return [f"{value:.9g}" for value in np.ravel(values)]


def short(value: Any) -> str:
    """Give a value as code, without zeros that say nothing."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if hasattr(value, "dist") and hasattr(value, "args"):  # frozen, by scipy
        shown = [short(entry) for entry in value.args]
        shown += [f"{name}={short(entry)}" for name, entry in value.kwds.items()]
        return f"{value.dist.name}({', '.join(shown)})"
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text.removesuffix(".0")


def qualified_name(value: Any) -> str:
    """Give the name of an object's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"
