"""A committee of mixture density networks: from rows to posteriors."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from . import _boundary, _boundary_file, extras
from .checks import check_array, check_rows
from .estimator import Estimator, plain
from .fitting import train
from .mixture import Mixture
from .plan import Plan, check_names, check_weights, columns
from .threads import count_threads


class Committee(Estimator):
    """Networks that turn an observation into a posterior density.

    Each member is a network with tanh hidden layers whose outputs are the weights,
    means and covariances of Gaussian kernels (Bishop 1994). Members differ in size,
    start, noise and monitor set; their densities are combined into one mixture with
    weights from a set of rows that none of them was trained on (Kaeufl et al. 2016).

    Parameters
    ----------
    n_members : int
        Number of networks.
    hidden : int, (int, int) or list of int
        Units of the hidden layer; drawn for each member between two bounds when a
        tuple; the widths of several layers when a list.
    kernels : int or (int, int)
        Gaussian kernels of a member; drawn between two bounds when a tuple.
    covariance : {"full", "diagonal", "isotropic"}
        Of the kernels; of no effect with one target.
    linear_path : bool
        Whether the inputs also reach the outputs straight, by a linear map, on which
        they count at most ten standard deviations.
    max_iter : int
        L-BFGS iterations of a member at most.
    patience : int or None
        Iterations without a better monitor loss after which a member stops; None:
        never.
    seed : int
        The same seed gives the same committee, bit for bit, on any number of threads.
    n_threads : int, optional
        Threads for training; by default OMP_NUM_THREADS or all cores.

    Attributes
    ----------
    layout_, parameters_ : ndarray
        The committee as the core takes it.
    history_ : list of dict
        For each member why it stopped, its iterations, the best of them, and the losses
        on the way (nats, in the targets' units).
    weights_ : ndarray, shape (n_members,)
        Of the members; `weighting_losses_` are the mean losses they come from.
    input_names_, target_names_ : list of str
    n_features_in_, n_targets_ : int

    Examples
    --------
    >>> committee = Committee(n_members=5, seed=1).fit(data, depth)
    >>> committee.posterior(observed).interval(0.9)
    """

    def __init__(
        self,
        n_members=10,
        hidden=(25, 50),
        kernels=(3, 8),
        covariance="full",
        linear_path=False,
        max_iter=1000,
        patience=50,
        seed=0,
        n_threads=None,
    ):
        self.n_members = n_members
        self.hidden = hidden
        self.kernels = kernels
        self.covariance = covariance
        self.linear_path = linear_path
        self.max_iter = max_iter
        self.patience = patience
        self.seed = seed
        self.n_threads = n_threads

    # --- Training ------------------------------------------------------------------

    def fit(
        self,
        inputs,
        targets,
        *,
        monitor=None,
        weighting=None,
        groups=None,
        sample_weight=None,
        noise=None,
        prior=None,
        input_names=None,
        target_names=None,
        checkpoint=None,
        executor=None,
        progress=False,
    ):
        """Train the members and weigh them.

        Unless they are given, a tenth of the rows weighs the members, and a tenth of
        the rest monitors each of them: another tenth for the next member. Rows of no
        weight are as good as not there.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
            Simulated data, one row for each prior sample.
        targets : array_like, shape (n,) or (n, n_targets)
            What to infer from them.
        monitor, weighting : (inputs, targets), optional
            Sets that stop the training and weigh the members. With `monitor` alone all
            other rows train, and it gives the weights too.
        groups : array_like, shape (n,), optional
            Rows of one group stay on one side of every split.
        sample_weight : array_like, shape (n,), optional
            Weights of the rows in the loss.
        noise : GaussianNoise, float or array_like, optional
            Added to all inputs, which are noise-free as given: afresh for every member
            where a row trains, one draw for the rows that monitor and weigh.
        prior : Prior or sequence of distributions, optional
            Of the targets, in order; gives their names.
        input_names, target_names : sequence of str, optional
            By default a data frame's columns, or the prior's names.
        checkpoint : path, optional
            File to which each finished member is written. The same call goes on from it
            after an interruption, to the same bits.
        executor : concurrent.futures.Executor, optional
            Trains one member a task, in place of threads.
        progress : bool
            Whether to show a progress bar (tqdm).

        Returns
        -------
        Committee
            Itself.

        Raises
        ------
        ValueError, TypeError
            When an argument is of no use; the message says which, and where.
        KeyboardInterrupt
            After Ctrl-C. Members that were finished make a committee that can be used.
        """
        plan = Plan.of(
            self,
            inputs,
            targets,
            monitor=monitor,
            weighting=weighting,
            groups=groups,
            sample_weight=sample_weight,
            noise=noise,
            prior=prior,
            input_names=input_names,
            target_names=target_names,
        )
        training = _boundary.Training.of(plan.n_members, plan.max_iter)
        try:
            train(plan, training, checkpoint, executor, progress)
        finally:
            if training.trained().any():
                self._take(plan, training)
        failed = np.flatnonzero(training.finished() & ~training.trained())
        if failed.size:
            reasons = training.outcome[failed, 0]
            why = "; ".join(_boundary.stop_text(int(one)) for one in np.unique(reasons))
            if not training.trained().any():
                lack = (reasons == _boundary.STOPPED_OUT_OF_MEMORY).all()
                error = MemoryError if lack else _boundary.FmdnError
                raise error(f"no member could be trained; {why}")
            message = f"members {failed.tolist()} are left out; {why}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        return self

    def _take(self, plan: Plan, training: _boundary.Training) -> None:
        """Become the committee of the trained members, weighed."""
        trained = training.trained()
        self.layout_, self.parameters_ = _boundary.select_members(
            plan.layout, plan.parameters, trained
        )
        self.weighting_losses_ = _boundary.weigh_members(
            self.layout_, self.parameters_, plan.rows, plan.n_threads
        )
        self.history_ = [_member_history(training, k) for k in np.flatnonzero(trained)]
        self.input_names_ = plan.input_names
        self.target_names_ = plan.target_names
        self._one_target_axis = plan.one_target_axis
        self._settle()
        extras.remember(self, plan.rows)
        if plan.features is None:
            vars(self).pop("feature_names_in_", None)
        else:
            self.feature_names_in_ = plan.features

    def _settle(self) -> None:
        """Set what follows from layout and parameters."""
        sizes = _boundary.describe(self.layout_, self.parameters_)
        self.n_features_in_ = sizes.n_inputs
        self.n_targets_ = sizes.n_targets
        self._kernels = sizes.kernels.tolist()
        self.weights_ = sizes.weights

    # --- Applying ------------------------------------------------------------------

    def posterior(self, inputs) -> Mixture:
        """Give the posterior of one observation, or of several.

        Parameters
        ----------
        inputs : array_like, shape (n_inputs,) or (n, n_inputs)

        Returns
        -------
        Mixture
        """
        self._require_fit()
        rows = self._check_inputs(inputs, (1, 2))
        weights, means, factors = _boundary.posterior(
            self.layout_,
            self.parameters_,
            rows.reshape(-1, self.n_features_in_),
            self.n_targets_,
            sum(self._kernels),
            count_threads(self.n_threads),
        )
        return Mixture(
            weights,
            means,
            factors,
            single=rows.ndim == 1,
            one_target_axis=self._one_target_axis,
            target_names=self.target_names_,
            member_kernels=self._kernels,
        )

    def predict(self, inputs):
        """Give the posterior means, shaped like the targets.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)

        Returns
        -------
        ndarray, shape (n,) or (n, n_targets)
        """
        self._require_fit()
        self._check_inputs(inputs)
        return self.posterior(inputs).mean()

    def log_density(self, inputs, targets):
        """Give log p(target | inputs) of each row, in nats and the targets' units.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
        targets : array_like, shape (n,) or (n, n_targets)

        Returns
        -------
        ndarray, shape (n,)
        """
        self._require_fit()
        inputs = self._check_inputs(inputs)
        targets = check_array("targets", targets, (1, 2))
        if targets.ndim == 1:
            targets = targets[:, np.newaxis]
        if targets.shape != (len(inputs), self.n_targets_):
            raise ValueError(
                f"targets must have shape ({len(inputs)}, {self.n_targets_}), "
                f"got {targets.shape}"
            )
        return _boundary.log_density(
            self.layout_,
            self.parameters_,
            inputs,
            targets,
            count_threads(self.n_threads),
        )

    def score(self, X, y, sample_weight=None) -> float:
        """Give the mean log density: the higher the better."""
        log_p = self.log_density(X, y)
        return float(
            np.average(log_p, weights=check_weights(sample_weight, len(log_p)))
        )

    def _check_inputs(self, inputs, ndim: tuple[int, ...] = (2,)):
        names = columns(inputs)
        if getattr(inputs, "ndim", 2) == 1 and hasattr(inputs, "iloc"):
            names = columns(inputs.to_frame().T)  # one observation, a pandas Series
        own = getattr(self, "feature_names_in_", None)
        if names is not None and own is not None and list(names) != list(own):
            raise ValueError(
                "The feature names should match those that were passed during fit: "
                f"expected {list(own)}, got {list(names)}"
            )
        rows = check_array("inputs", inputs, ndim, only_axis="column")
        if rows.shape[-1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[-1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input"
            )
        if rows.size == 0:
            check_rows("inputs", rows)  # says what is missing
        return rows

    # --- Files ---------------------------------------------------------------------

    def save(self, path) -> None:
        """Write the committee to a model file, whole or not at all."""
        _boundary_file.write_file(path, [self._to_entry("")])

    def _to_entry(self, name: str) -> _boundary_file.Entry:
        self._require_fit()
        text = {
            # What was computed does not depend on the machine's number of threads.
            "settings": plain(self.get_params() | {"n_threads": None}),
            "input_names": self.input_names_,
            "target_names": self.target_names_,
            "one_target_axis": self._one_target_axis,
            "weighting_losses": self.weighting_losses_.tolist(),
            "history": [
                {key: h[key] for key in _SUMMARY if key in h} for h in self.history_
            ],
            **extras.to_text(self),
        }
        return name, self.layout_, self.parameters_, json.dumps(text, indent=1)

    @classmethod
    def _from_entry(cls, entry: _boundary_file.Entry) -> Committee:
        name, layout, parameters, text = entry
        try:
            return cls._from_text(layout, parameters, json.loads(text or "{}"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _boundary.ModelFileError(
                f"the text of committee {name!r} makes no sense: {error}"
            ) from None

    @classmethod
    def _from_text(cls, layout, parameters, known: dict[str, Any]) -> Committee:
        if "fingerprint" in known:
            raise ValueError("it is a checkpoint; fit(checkpoint=...) goes on from it")
        settings = known.get("settings", {})
        for key in ("hidden", "kernels"):
            if isinstance(settings.get(key), dict):
                settings[key] = tuple(settings[key]["between"])
        self = cls(**{k: v for k, v in settings.items() if k in cls._settings()})
        self.layout_, self.parameters_ = layout, parameters
        self._settle()
        self.input_names_ = check_names(
            "input", known.get("input_names"), self.n_features_in_
        )
        self.target_names_ = check_names(
            "target", known.get("target_names"), self.n_targets_
        )
        self._one_target_axis = known.get("one_target_axis", self.n_targets_ == 1)
        self.weighting_losses_ = np.array(known.get("weighting_losses", []), float)
        self.history_ = list(known.get("history", []))
        extras.from_text(self, known)
        return self

    @property
    def n_iter_(self):
        """Iterations of the member that took the most."""
        return max(one["n_iterations"] for one in self.history_)


_SUMMARY = ("stopped", "n_iterations", "best_iteration", "best_monitor_loss")


def _member_history(training: _boundary.Training, k: int) -> dict[str, Any]:
    """Say how member k was trained."""
    reason, n, best = (int(number) for number in training.outcome[k])
    lines = training.history[k, : n + 1]
    return {
        "stopped": _boundary.stop_text(reason),
        "n_iterations": n,
        "best_iteration": best,
        "best_monitor_loss": float(lines[best, 1]),
        **{name: lines[:, i].copy() for i, name in enumerate(_boundary.HISTORY)},
    }
