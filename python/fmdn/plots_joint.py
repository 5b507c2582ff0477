"""Figures of what is known of several targets together; and as a table beside them."""

from itertools import combinations

import numpy as np

from .plots import POSTERIOR, PRIOR, plot_posterior

SHARES = (0.954, 0.683)  # probability inside: two and one sigma
N_DRAWS = 4000


def plot_joint(posterior, prior=None, *, truth=None, units=None, figure=None):
    """Draw marginals and pairs of a joint posterior of one observation.

    Contours hold 68.3 and 95.4 % of the probability of a pair.

    Parameters
    ----------
    posterior : Mixture
        Of several targets and one observation.
    prior : Prior, optional
        Its supports set the axes.
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
    draws = posterior.sample(N_DRAWS)
    size = 1.9 * c + 1.2
    if figure is None:
        figure = plt.figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots(c, c)
    for i, name in enumerate(names):
        ax = axes[i, i]
        one, of_prior = posterior.marginal(name), prior.get(name)
        unit = units.get(name, getattr(of_prior, "unit", ""))
        label = f"{name} ({unit})" if unit else name
        plot_posterior(
            one, of_prior, truth=truth.get(name), members=False, unit=unit, ax=ax
        )
        ax.set_title("")
        ax.set(xlim=_ends(one, of_prior), ylabel="", yticks=[])
        ax.spines["left"].set_visible(False)
        for j in range(i + 1, c):
            axes[j, i].set_xlim(ax.get_xlim())
        for j in range(i):
            axes[i, j].set_ylim(ax.get_xlim())
        ax.set_xlabel("")
        axes[-1, i].set_xlabel(label)
        if i:
            axes[i, 0].set_ylabel(label)
    for i, j in combinations(range(c), 2):
        axes[i, j].remove()
        ax = axes[j, i]
        _plot_pair(ax, posterior, draws, i, j)
        if i:
            ax.tick_params(labelleft=False)
        if j < c - 1:
            ax.tick_params(labelbottom=False)
        at = truth.get(names[i]), truth.get(names[j])
        if None not in at:
            ax.plot(*at, marker="^", ms=7, color="black", mec="white")
        ax.spines[["top", "right"]].set_visible(False)
    for i in range(c - 1):
        axes[i, i].tick_params(labelbottom=False)
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
    headings = ("median", f"{confidence:.0%} interval", "gain (nat)" * known)
    places = (0.44, 0.78, 1.0)
    for ax in axes.flat:
        ax.set_axis_off()
    for text, place in zip(headings, places, strict=True):
        axes[0, 1].text(place, 0.3, text, ha="right", color=PRIOR)
    axes[0, 0].text(0.5, 0.3, "prior range", ha="center", color=PRIOR)
    for (ax, right), row, cell in zip(axes[1:], rows, cells[1:], strict=True):
        mixture, of_prior = marginals[row.target], prior.get(row.target)
        low, high = _ends(mixture, of_prior)
        x = np.linspace(low, high, 600)
        density = mixture.pdf(x)
        if of_prior is not None:
            flat = np.broadcast_to(of_prior.pdf(x), x.shape) / density.max()
            ax.plot(x, flat, color=PRIOR, lw=1, ls=(0, (4, 2)))
        ax.fill_between(x, density / density.max(), color=POSTERIOR, alpha=0.25, lw=0)
        ax.plot(x, density / density.max(), color=POSTERIOR, lw=1.6)
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


def _plot_pair(ax, posterior, draws, i, j):
    """Contours of the densest regions of two targets."""
    x, y = draws[:, i], draws[:, j]
    if posterior.n_targets == 2:
        density = posterior.pdf
    else:  # no closed form for two of several in general: a smooth of the draws
        from scipy.stats import gaussian_kde

        smooth = gaussian_kde(np.stack([x, y]))

        def density(points):
            return smooth(points.reshape(-1, 2).T).reshape(points.shape[:-1])

    grids = [np.linspace(*_padded(one), 161) for one in (x, y)]
    image = density(np.stack(np.meshgrid(*grids), axis=-1))
    order = np.sort(image, axis=None)[::-1]
    held = order.cumsum() / order.sum()
    levels = [order[np.searchsorted(held, share)] for share in SHARES]
    ax.contourf(*grids, image, [*levels, np.inf], colors=[POSTERIOR] * 2, alpha=0.2)
    ax.contour(
        *grids, image, levels, colors=POSTERIOR, linestyles=["--", "-"], linewidths=1.4
    )


def _padded(values):
    low, high = values.min(), values.max()
    margin = 0.1 * (high - low)
    return low - margin, high + margin


def _ends(mixture, prior):
    """Ends of an axis: the prior's support, else where nearly all of both is."""
    low, high = mixture.interval(0.999)
    if prior is None:
        return _padded(np.array([low, high]))
    support = np.array(prior.support(), float)
    wide = np.array(prior.ppf(np.array([0.005, 0.995])))
    ends = np.where(np.isfinite(support), support, wide)
    return min(ends[0], low), max(ends[1], high)
