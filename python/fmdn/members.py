"""Changing a trained committee: other weights."""

from __future__ import annotations

import numpy as np

from . import _boundary
from .checks import check_array
from .plan import check_weights
from .threads import count_threads


class Members:
    """What a committee can do with its members."""

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
        self._settle()
        return self

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
