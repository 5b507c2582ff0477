"""fmdn: posteriors from prior samples by mixture density networks.

Draw models from a prior, simulate data for each, and train a committee of networks
that turns an observation into a posterior. Names are loaded when they are first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._boundary import loss_gradient as loss_gradient
    from .committee import Committee as Committee
    from .inversion import Inversion as Inversion
    from .inversion import load as load
    from .mixture import Mixture as Mixture
    from .noise import GaussianNoise as GaussianNoise
    from .priors import LogUniform as LogUniform
    from .priors import Normal as Normal
    from .priors import Prior as Prior
    from .priors import Uniform as Uniform
    from .simulation import Samples as Samples
    from .simulation import simulate as simulate

_HOME = {
    "Prior": "priors",
    "Uniform": "priors",
    "Normal": "priors",
    "LogUniform": "priors",
    "simulate": "simulation",
    "Samples": "simulation",
    "GaussianNoise": "noise",
    "Committee": "committee",
    "Mixture": "mixture",
    "Inversion": "inversion",
    "load": "inversion",
    "loss_gradient": "_boundary",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        from importlib import import_module

        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("fmdn")
    else:
        raise AttributeError(f"module 'fmdn' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__version__"]
