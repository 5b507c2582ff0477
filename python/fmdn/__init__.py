"""fmdn: posteriors from prior samples by mixture density networks.

Draw models from a prior, simulate data for each, and train a committee of networks
that turns an observation into a posterior. Names are loaded when they are first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._boundary import loss_gradient as loss_gradient
    from .chain_rule import ChainRule as ChainRule
    from .cloud import TrainingCloud as TrainingCloud
    from .cloud import novelty as novelty
    from .committee import Committee as Committee
    from .diagnostics import calibration as calibration
    from .distributions import LogUniform as LogUniform
    from .distributions import Normal as Normal
    from .distributions import TruncatedNormal as TruncatedNormal
    from .distributions import Uniform as Uniform
    from .draws import GivenModels as GivenModels
    from .inversion import Inversion as Inversion
    from .inversion import load as load
    from .joint import MultivariateNormal as MultivariateNormal
    from .learning import learning_curve as learning_curve
    from .mixture import Mixture as Mixture
    from .noise import CorrelatedNoise as CorrelatedNoise
    from .noise import FunctionNoise as FunctionNoise
    from .noise import GaussianNoise as GaussianNoise
    from .noise import RecordedNoise as RecordedNoise
    from .noise import ScaledNoise as ScaledNoise
    from .parameter import Parameter as Parameter
    from .plots import plot_posterior as plot_posterior
    from .plots import plot_posteriors as plot_posteriors
    from .plots_calibration import plot_calibration as plot_calibration
    from .plots_calibration import plot_calibrations as plot_calibrations
    from .plots_calibration import plot_coverage as plot_coverage
    from .plots_calibration import plot_pit as plot_pit
    from .plots_calibration import plot_recalibration as plot_recalibration
    from .plots_calibration import plot_score as plot_score
    from .plots_calibration import plot_scores as plot_scores
    from .plots_joint import plot_joint as plot_joint
    from .plots_joint import plot_table as plot_table
    from .plots_observation import plot_novelty as plot_novelty
    from .plots_observation import plot_predictive as plot_predictive
    from .plots_training import plot_history as plot_history
    from .plots_training import plot_learning as plot_learning
    from .plots_truth import plot_columns as plot_columns
    from .plots_truth import plot_near_truth as plot_near_truth
    from .plots_truth import plot_truth as plot_truth
    from .predictive import predictive_check as predictive_check
    from .priors import Prior as Prior
    from .program import Columns as Columns
    from .program import Program as Program
    from .recalibration import recalibrate as recalibrate
    from .report import write_report as write_report
    from .samples import Samples as Samples
    from .sensitivity import Sensitivity as Sensitivity
    from .simulation import simulate as simulate
    from .store import open_samples as open_samples

_HOME = {
    "Prior": "priors",
    "Uniform": "distributions",
    "Normal": "distributions",
    "LogUniform": "distributions",
    "TruncatedNormal": "distributions",
    "Parameter": "parameter",
    "MultivariateNormal": "joint",
    "GivenModels": "draws",
    "simulate": "simulation",
    "Program": "program",
    "Columns": "program",
    "open_samples": "store",
    "Samples": "samples",
    "GaussianNoise": "noise",
    "CorrelatedNoise": "noise",
    "RecordedNoise": "noise",
    "ScaledNoise": "noise",
    "FunctionNoise": "noise",
    "Committee": "committee",
    "Mixture": "mixture",
    "Sensitivity": "sensitivity",
    "Inversion": "inversion",
    "load": "inversion",
    "ChainRule": "chain_rule",
    "calibration": "diagnostics",
    "recalibrate": "recalibration",
    "novelty": "cloud",
    "TrainingCloud": "cloud",
    "predictive_check": "predictive",
    "learning_curve": "learning",
    "write_report": "report",
    "plot_posterior": "plots",
    "plot_posteriors": "plots",
    "plot_joint": "plots_joint",
    "plot_table": "plots_joint",
    "plot_truth": "plots_truth",
    "plot_near_truth": "plots_truth",
    "plot_columns": "plots_truth",
    "plot_calibration": "plots_calibration",
    "plot_calibrations": "plots_calibration",
    "plot_pit": "plots_calibration",
    "plot_coverage": "plots_calibration",
    "plot_score": "plots_calibration",
    "plot_scores": "plots_calibration",
    "plot_recalibration": "plots_calibration",
    "plot_novelty": "plots_observation",
    "plot_predictive": "plots_observation",
    "plot_history": "plots_training",
    "plot_learning": "plots_training",
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
