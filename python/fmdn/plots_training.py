"""Figures of training: how losses fell, and what more prior samples would bring."""

import numpy as np

from .plots import POSTERIOR, PRIOR


def plot_history(committee, *, ax=None):
    """Draw the members' losses while they were trained.

    Dashed: the rows that train; solid: those that monitor; a point where the monitor's
    is least, which is where the member was taken.

    Parameters
    ----------
    committee : Committee
        As it comes from `fit`; a model file keeps no whole history.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    from ._boundary import HISTORY

    histories = getattr(committee, "history_", [])
    train, monitor = HISTORY[:2]
    if not histories or monitor not in histories[0]:
        raise ValueError("the committee has no history of its training")
    ax = ax or _new_axes()
    highest, lowest = [], []
    for i, one in enumerate(histories):
        losses = one[monitor]
        best = one["best_iteration"]
        names = (None, None, None) if i else ("training", "monitor", "taken")
        ax.plot(one[train], color=PRIOR, lw=0.8, ls=(0, (4, 2)), label=names[0])
        ax.plot(losses, color=POSTERIOR, lw=1, label=names[1])
        ax.plot(best, losses[best], "o", ms=4, color="black", label=names[2])
        lowest.append(min(losses.min(), one[train].min()))
        highest.append(losses[min(len(losses) - 1, 2)])
    margin = 0.08 * (max(highest) - min(lowest)) or 1.0
    ax.set_ylim(min(lowest) - margin, max(highest) + margin)
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss (nat)")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_learning(table, *, ax=None):
    """Draw gain and loss on the test set against the number of prior samples.

    One curve serves both: their sum is the loss of the prior.

    Parameters
    ----------
    table : LearningTable
        Of `fmdn.learning_curve`; without gains only losses are drawn.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or _new_axes()
    known = not np.isnan(table[0].gain)
    sizes = [row.n_samples for row in table]
    values = [row.gain if known else row.loss for row in table]
    errors = [row.error for row in table]
    ax.errorbar(sizes, values, errors, color=POSTERIOR, marker="o", ms=4, capsize=3)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_xlabel("prior samples")
    ax.set_ylabel(f"mean {'gain over the prior' if known else 'loss'} (nat)")
    ax.spines[["top", "right"]].set_visible(False)
    if known:
        of_prior = table[0].gain + table[0].loss
        turned = (lambda x: of_prior - x,) * 2
        ax.secondary_yaxis("right", functions=turned).set_ylabel("mean loss (nat)")
    return ax


def _new_axes():
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.2, 3.8), layout="constrained")[1]
