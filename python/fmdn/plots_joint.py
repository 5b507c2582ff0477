"""Figures of what is known of several targets together; and as a table beside them."""

from itertools import combinations

import numpy as np

from .plots import POSTERIOR, PRIOR, height_of, plot_posterior

SHARES = (0.954, 0.683)  # probability inside: two and one sigma
GAIN = "KL(post. || prior)\n(nat)"  # in a narrow column
N_CELLS = 160  # of an image of two targets, each way


def plot_joint(posterior, prior=None, *, truth=None, units=None, figure=None):
    """Draw marginals and pairs of a joint posterior of one observation.

    Contours hold 68.3 and 95.4 % of the probability of a pair, 1 and 2 sigma; the axes
    show where the posterior is, within the prior.

    Parameters
    ----------
    posterior : Mixture
        Of several targets and one observation.
    prior : Prior, optional
    truth : mapping of str to float, optional
    units : mapping of str to str, optional
        Where they are not those of the prior.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; its axes come row by row, the marginal at the end of each.

    Returns
    -------
    matplotlib.figure.Figure
        Or the subfigure.
    """
    import matplotlib.pyplot as plt

    names = posterior.target_names
    c = len(names)
    if c < 2 or not posterior._single:
        raise ValueError(
            f"plot_joint needs several targets and one observation, not {posterior!r}"
        )
    prior, truth, units = prior or {}, truth or {}, units or {}
    size = 1.9 * c + 1.2
    if figure is None:
        figure = plt.figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots(c, c)
    windows = []
    for i, name in enumerate(names):
        ax = axes[i, i]
        one, of_prior, at = posterior.marginal(name), prior.get(name), truth.get(name)
        if at is not None and one.period is not None:
            at = one.support()[0] + np.mod(at - one.support()[0], one.period)
        windows.append((_window(one, at), at))
        unit = units.get(name, getattr(of_prior, "unit", ""))
        label = f"{name} ({unit})" if unit else name
        plot_posterior(one, of_prior, truth=at, members=False, unit=unit, ax=ax)
        ax.set_title("")
        ax.set(xlim=windows[i][0], xlabel="", ylabel="", yticks=[])
        ax.spines["left"].set_visible(False)
        axes[-1, i].set_xlabel(label)
        if i:
            axes[i, 0].set_ylabel(label)
    for i, j in combinations(range(c), 2):
        axes[i, j].remove()
        ax = axes[j, i]
        (across, x), (up, y) = windows[i], windows[j]
        ax.set(xlim=across, ylim=up)
        _plot_pair(ax, posterior.marginal(names[i], names[j]))
        if None not in (x, y):
            ax.plot(x, y, marker="^", ms=7, color="black", mec="white")
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelleft=i == 0, labelbottom=j == c - 1)
    for i, ax in enumerate(np.diag(axes)):
        ax.tick_params(labelbottom=i == c - 1)
    for ax in axes[-1]:
        ax.locator_params(axis="x", nbins=5)
    for ax in axes[1:, 0]:
        ax.locator_params(axis="y", nbins=5)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    for share, style in zip(SHARES[::-1], ("-", "--"), strict=True):
        handles.append(plt.Line2D([], [], color=POSTERIOR, ls=style))
        labels.append(f"pair, {100 * share:.1f} %")
    figure.legend(handles, labels, loc="upper right", frameon=False, fontsize="small")
    return figure


def plot_table(posteriors, *, confidence=0.9, truth=None):
    """Draw posteriors over their priors, with their numbers beside them.

    Parameters
    ----------
    posteriors : Posteriors
        Of an inversion and one observation.
    confidence : float
        Probability of the interval.
    truth : mapping of str to float, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    prior, truth = posteriors.prior or {}, truth or {}
    rows = posteriors.summary(confidence)
    marginals = posteriors.marginals()
    if len(rows) != len(marginals):
        raise ValueError("plot_table needs the posteriors of one observation")
    cells = list(rows.cells())
    known = any(not np.isnan(row.gain) for row in rows)
    height = 0.52 * (len(rows) + 1) + 0.2
    figure, axes = plt.subplots(
        len(rows) + 1,
        2,
        figsize=(8.4, height),
        layout="constrained",
        width_ratios=(3, 5),
    )
    gap = 0.4 / len(rows)
    figure.get_layout_engine().set(h_pad=0, hspace=0, w_pad=gap * 0.1)
    headings = ("median", f"{confidence:.0%} interval", GAIN * known)
    places = (0.44, 0.78, 1.0)
    for ax in axes.flat:
        ax.set_axis_off()
    for text, place in zip(headings, places, strict=True):
        axes[0, 1].text(place, 0.2, text, ha="right", color=PRIOR)
    axes[0, 0].text(0.5, 0.2, "prior range", ha="center", color=PRIOR)
    for (ax, right), row, cell in zip(axes[1:], rows, cells[1:], strict=True):
        mixture, of_prior = marginals[row.target], prior.get(row.target)
        low, high = _ends(mixture, of_prior)
        x = np.linspace(low, high, 600)
        height = height_of(mixture)
        density = mixture.pdf(x) / height
        if of_prior is not None:
            flat = np.broadcast_to(of_prior.pdf(x), x.shape) / height
            ax.plot(x, flat, color=PRIOR, lw=1, ls=(0, (4, 2)))
        ax.fill_between(x, density, color=POSTERIOR, alpha=0.25, lw=0)
        ax.plot(x, density, color=POSTERIOR, lw=1.6)
        ax.plot([low, high], [0, 0], color="0.6", lw=0.8)
        if row.target in truth:
            ax.plot(truth[row.target], 0, "^", color="black", ms=6, clip_on=False)
        ax.set(xlim=(low, high), ylim=(-0.05, 1.25))
        *_, median, left, end, gain = cell
        unit = f" {row.unit}" if row.unit else ""
        texts = median + unit, f"{left} to {end}", gain.removesuffix(" nat")
        right.text(0.0, 0.25, row.target, weight="bold")
        for text, place in zip(texts, places, strict=True):
            right.text(place, 0.25, text, ha="right")
    return figure


def _plot_pair(ax, pair):
    """Contours of the densest regions of two targets, over the axes as they are."""
    edges = [np.linspace(*ends, N_CELLS + 1) for ends in (ax.get_xlim(), ax.get_ylim())]
    x, y, density = grid = pair.grid(points=[(one[1:] + one[:-1]) / 2 for one in edges])
    levels, dashes = grid.levels(SHARES), ["--", "-"]
    ax.contourf(x, y, density.T, [*levels, np.inf], colors=[POSTERIOR] * 2, alpha=0.2)
    ax.contour(
        x, y, density.T, levels, colors=POSTERIOR, linestyles=dashes, linewidths=1.4
    )


def _window(one, truth):
    """Ends of an axis that shows the posterior and the truth, within the support."""
    low, high = one.interval(0.9995)
    first, last = one.support()
    if truth is not None:
        if one.period is not None:
            truth = first + np.mod(truth - first, one.period)
        low, high = min(low, truth), max(high, truth)
    margin = 0.08 * (high - low)
    return max(low - margin, first), min(high + margin, last)


def _ends(mixture, prior):
    """Ends of an axis: the prior's support, else where nearly all of both is."""
    if mixture.period is not None:
        low = (mixture if prior is None else prior).support()[0]
        return low, low + mixture.period
    low, high = mixture.interval(0.999)
    if prior is None:
        margin = 0.1 * (high - low)
        return low - margin, high + margin
    support = np.array(prior.support(), float)
    wide = np.array(prior.ppf(np.array([0.005, 0.995])))
    ends = np.where(np.isfinite(support), support, wide)
    return min(ends[0], low), max(ends[1], high)
