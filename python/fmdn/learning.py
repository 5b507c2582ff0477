"""Would more prior samples help? The learning curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .checks import check_integer
from .diagnostics import calibration
from .tables import Table


def learning_curve(
    committee, inputs, targets, test, prior=None, *, sizes=None, progress=False, **fit
):
    """Train on ever more rows and test each time on the same others.

    Rows are taken from the front: prior samples are independent, so that the first of
    them are as good as any. If the last doubling brought little, more will not bring
    much (Kaeufl et al. 2015, figure 10).

    Parameters
    ----------
    committee : Committee
        Gives the settings; it is left as it is.
    inputs : array_like, shape (n, n_inputs)
    targets : array_like, shape (n,) or (n, n_targets)
    test : (inputs, targets)
        Rows that take no part in any training; with noise, if training has it.
    prior : distribution or Prior, optional
        Of the targets, for the gain.
    sizes : sequence of int, optional
        Numbers of rows; by default n and halves of it, down to a sixteenth.
    progress : bool
        Whether to show a progress bar for each training (tqdm).
    **fit
        For `Committee.fit`: `noise`, `target_names`.

    Returns
    -------
    LearningTable
        A list of `LearningRow`s that prints as a table; its `plot()` draws it.
    """
    n = len(inputs)
    if sizes is None:
        sizes = [n // 2**k for k in range(4, -1, -1)]
    sizes = [check_integer("sizes", size, 1, n) for size in sizes]
    test_inputs, test_targets = test
    table = LearningTable()
    for size in sizes:
        one = type(committee)(**committee.get_params())
        one.fit(inputs[:size], targets[:size], progress=progress, **fit)
        check = calibration(one.posterior(test_inputs), test_targets, prior)
        loss, gain = check.loss, check.gain
        error = loss.error if np.isnan(gain.value) else gain.error
        excess = check.excess_coverage.value
        table.append(LearningRow(size, loss.value, gain.value, error, excess))
    return table


class LearningRow(NamedTuple):
    """What was learnt from some rows; loss and gain on the test set, in nats.

    `error` is the standard error of the gain, or of the loss where there is no gain,
    that the test set leaves; rows differ by less, for the test set is the same.
    """

    n_samples: int
    loss: float
    gain: float
    error: float
    excess_coverage: float


class LearningTable(Table):
    """A learning curve, printed as a table."""

    def cells(self):
        """Give the lines."""
        yield "prior samples", "loss (nat)", "gain (nat)", "error", "excess coverage"
        for row in self:
            gain = "" if np.isnan(row.gain) else f"{row.gain:.3f}"
            numbers = f"{row.loss:.3f}", gain, f"{row.error:.3f}"
            yield str(row.n_samples), *numbers, f"{100 * row.excess_coverage:+.1f} %"

    def plot(self, *, ax=None):
        """Draw it: see `fmdn.plots_training.plot_learning`."""
        from .plots_training import plot_learning

        return plot_learning(self, ax=ax)
