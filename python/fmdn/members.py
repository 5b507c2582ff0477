"""Changing a trained committee: more members, other weights, a recalibration."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from . import _boundary, _boundary_recalibration
from .arguments import check_weights
from .checks import check_array, check_integer
from .fitting import report_failures, train
from .inputs import Treatment
from .plan import Plan
from .threads import count_threads


class Members:
    """What a committee can do with its members."""

    def add_members(
        self,
        n,
        inputs,
        targets,
        *,
        checkpoint=None,
        executor=None,
        progress=False,
        **given,
    ):
        """Train n members more, and weigh all of them anew.

        The new members are of the kind that was chosen when the committee was trained,
        and have the bits that they had if they had been trained with the others.

        Parameters
        ----------
        n : int
        inputs, targets : array_like
            The rows that the committee was trained with.
        checkpoint, executor, progress
            As for `fit`.
        **given
            All else that `fit` was given: `noise`, `prior`, `groups`...

        Returns
        -------
        Committee
            Itself, with `n_members` larger by n.

        Raises
        ------
        ValueError
            When rows or arguments are not those of before, or members had failed.
        """
        self._require_fit()
        before = len(self.history_)
        if before != self.n_members:
            raise ValueError(
                f"{before} of {self.n_members} members were trained: fit them again"
            )
        total = before + check_integer("n", n, 1)
        if self._encoder is not None:
            given.setdefault("encoder", self._encoder)
        names = {field.name for field in fields(Treatment)} & given.keys()
        treatment = Treatment(**{name: given.pop(name) for name in names})
        larger = type(self)(**(self.get_params() | {"n_members": total}))
        plan = Plan.of(larger, inputs, targets, treatment=treatment, **given)
        if self.kind_ is not None:
            plan.become(plan.of_kind(self.kind_))
        plan.adopt(self.layout_, self.parameters_)
        training = _boundary.Training.of(plan.n_members, plan.max_iter)
        training.outcome[:before, 0] = (
            _boundary.STOPPED_MAX_ITER
        )  # or whatever ended it
        history = self.history_
        try:
            train(plan, training, checkpoint, executor, progress)
        finally:
            self._take(plan, training)
            self.history_[:before] = history
            self.n_members = total
        report_failures(training, stacklevel=3)
        return self

    def reweigh(self, inputs, targets, *, sample_weight=None, stacked=True):
        """Weigh the members on other rows; nothing is trained.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
            Rows that trained none of the members, with noise as an observation has it.
        targets : array_like, shape (n,) or (n, n_targets)
        sample_weight : array_like, shape (n,), optional
        stacked : bool
            Whether weights are those with which the committee's score on these rows is
            highest; else they are proportional to exp(-mean loss) of each member.

        Returns
        -------
        Committee
            Itself.
        """
        inputs, targets = self._check_rows(inputs, targets)
        n = len(inputs)
        seen = np.ascontiguousarray(self._encoded(inputs), dtype=float)
        rows = _boundary.Rows(
            seen,
            np.ascontiguousarray(targets, dtype=float),
            check_weights(sample_weight, n),
            np.full(n, _boundary.NO_FOLD, np.intc),
            np.zeros(seen.shape[1]),
            0,
        )
        parameters = self.parameters_.copy()
        n_threads = count_threads(self.n_threads)
        self.weighting_losses_ = _boundary.weigh_members(
            self.layout_, parameters, rows, n_threads, stacked
        )
        self.parameters_ = parameters
        if hasattr(self, "recalibration_"):
            del self.recalibration_  # it was of the old weights
        self._settle()
        return self

    @property
    def recalibration_(self):
        """The map that makes posteriors of the one target calibrated, if it was set.

        See `recalibrate`; it is saved with the committee. Whatever changes the
        members or their weights drops it.
        """
        from .recalibration import Recalibration  # and SciPy, where it is needed

        knots = None
        if hasattr(self, "layout_"):
            knots = _boundary_recalibration.get_recalibration(
                self.layout_, self.parameters_
            )
        if knots is None:
            raise AttributeError("this committee has no recalibration")
        return Recalibration(*knots)

    @recalibration_.setter
    def recalibration_(self, recalibration):
        self._recalibrate((recalibration.scores, recalibration.normal))

    @recalibration_.deleter
    def recalibration_(self):
        self._recalibrate(None)

    def _recalibrate(self, knots):
        self._require_fit()
        if self.n_targets_ != 1:
            raise ValueError(
                f"a recalibration is of one target, not of {self.target_names_}"
            )
        self.layout_, self.parameters_ = _boundary_recalibration.change_recalibration(
            self.layout_, self.parameters_, knots
        )
        self._settle()

    def _check_rows(self, inputs, targets):
        """Inputs (n, n_inputs) and targets (n, n_targets) of this committee."""
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
        return inputs, targets
