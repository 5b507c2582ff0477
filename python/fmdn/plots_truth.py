"""Figures of the posteriors of many observations, and where the truth is in them.

Matplotlib is imported when the first one is drawn. Lines differ in dash as well as in
colour and colours in lightness, so that all can be read in grey.
"""

import numpy as np

from .plots import POSTERIOR

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)))
GAINS = "viridis_r"  # dark where the data taught much
GAIN = "information gain, KL(posterior || prior) (nat)"


def plot_truth(check, *, ax=None):
    """Draw posterior modes against truths, coloured by information gain.

    Parameters
    ----------
    check : Calibration
        Of one target; coloured if its prior is known.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    label = _require_one_target(check, "plot_truth")
    ax = ax or _new_axes(5.2, 4.4)
    posterior, truth = check.posterior, check.truths[:, 0]
    mode = getattr(posterior, "mode", posterior.median)()  # recalibrated ones have none
    ends = truth.min(), truth.max()
    ax.plot(ends, ends, color="0.5", lw=0.8, zorder=0)
    gain = None if check.prior is None else check.information_gain
    order = slice(None) if gain is None else np.argsort(gain)  # the sure ones on top
    points = ax.scatter(
        truth[order],
        mode[order],
        s=9,
        c=POSTERIOR if gain is None else gain[order],
        cmap=None if gain is None else GAINS,
        vmin=None if gain is None else 0,
        linewidths=0,
        alpha=0.8,
        rasterized=len(truth) > 2000,
    )
    if gain is not None:
        ax.figure.colorbar(points, ax=ax, label=GAIN)
    ax.set_xlabel(f"true {label}")
    ax.set_ylabel(f"posterior mode of {label}")
    if getattr(check.distribution, "period", None) is None:
        ax.set_title(f"R = {np.corrcoef(truth, mode)[0, 1]:.3f}", fontsize="small")
    _clear(ax)
    return ax


def plot_near_truth(check, *, ax=None):
    """Draw the probability within 5 % of the prior's range of the truth, against gain.

    Above and below the truth apart (P+ and P-); the line is a Gaussian posterior about
    the truth (Kaeufl et al. 2016, figure 7).

    Parameters
    ----------
    check : Calibration
        Of one target, with a prior.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    from scipy.special import erf

    label = _require_one_target(check, "plot_near_truth")
    ax = ax or _new_axes(5.2, 4.0)
    above, below = check.near_truth()
    gain = check.information_gain
    order = np.argsort(gain)
    groups = np.array_split(order, max(1, min(20, len(order) // 30)))
    middles = [gain[rows].mean() for rows in groups]
    ax.scatter(gain, above + below, s=7, color="0.6", linewidths=0, label="P±, each")
    for name, values, dash in (
        ("P±, mean", above + below, DASHES[0]),
        ("P+, mean", above, DASHES[1]),
        ("P-, mean", below, DASHES[2]),
    ):
        means = [values[rows].mean() for rows in groups]
        ax.plot(middles, means, color=POSTERIOR, ls=dash, lw=1.8, label=name)
    # in units of a uniform prior's range, where the gain is -log sd - log(2 pi e)/2
    at = np.linspace(max(gain.min(), 0.3), max(gain.max(), 0.4), 200)
    sd = np.exp(-at - 0.5 * np.log(2 * np.pi * np.e))
    curve = erf(0.05 / sd / np.sqrt(2))
    ax.plot(at, curve, color="black", lw=1, ls=DASHES[3], label="Gaussian at truth")
    ax.set_xlabel(GAIN)
    ax.set_ylabel(f"probability near the true {label.partition(' (')[0]}")
    ax.set_ylim(0, 1.02)
    ax.legend(frameon=False, fontsize="small")
    _clear(ax)
    return ax


def plot_columns(posterior, at, *, label, truth=None, prior=None, name=None, ax=None):
    """Draw posteriors as columns of an image: dark where the density is high.

    Each column has the highest density one. Against the truth (Atkins et al. 2016,
    figure 8), or against the length of the data window, the noise, the time.

    Parameters
    ----------
    posterior : Mixture
        Of one target and n observations.
    at : array_like, shape (n,)
        Where the columns stand; those at the same place are averaged.
    label : str
        Of the horizontal axis.
    truth : float or array_like, shape (n,), optional
        Drawn as a line.
    prior : distribution, optional
        Its support sets the vertical axis.
    name : str, optional
        Of the target, with its unit; by default what posterior and prior know.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    at = np.asarray(at, float)
    if posterior.n_targets != 1 or at.shape != (len(posterior),):
        raise ValueError(
            f"at must have one entry for each posterior of one target, got {at.shape} "
            f"for {posterior!r}"
        )
    ax = ax or _new_axes(5.6, 4.2)
    posterior = posterior.marginal(posterior.target_names[0])
    ends = _ends(posterior, prior)
    rows = np.linspace(*ends, 401)
    density = np.asarray(posterior.pdf((rows[1:] + rows[:-1]) / 2))
    places = np.unique(at)
    if len(places) > 60:  # as many columns as can be told apart
        edges = np.linspace(places[0], places[-1], 61)
        column = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, 59)
    else:
        middles = (places[1:] + places[:-1]) / 2
        half = np.diff(places)[[0, -1]] / 2 if len(places) > 1 else np.array([0.5, 0.5])
        first, last = places[[0, -1]] + half * [-1, 1]
        edges = np.concatenate([[first], middles, [last]])
        column = np.searchsorted(places, at)
    image = np.full((400, len(edges) - 1), np.nan)
    for k in np.unique(column):
        mean = density[column == k].mean(axis=0)
        # not the very highest: a density may rise without end along its bound
        order = np.sort(mean)[::-1]
        held = order.cumsum() / order.sum()
        image[:, k] = np.minimum(mean / order[np.searchsorted(held, 0.025)], 1)
    image = np.ma.masked_invalid(image)
    mesh = ax.pcolormesh(edges, rows, image, cmap="Blues", vmin=0, vmax=1)
    mesh.set_rasterized(True)
    ax.figure.colorbar(mesh, ax=ax, label="density / highest density")
    if truth is not None:
        order = np.argsort(at)
        line = np.broadcast_to(truth, at.shape)[order]
        if posterior.period is not None:
            line = ends[0] + np.mod(line - ends[0], posterior.period)
        ax.plot(at[order], line, color="white", lw=2.4)
        ax.plot(at[order], line, color="black", lw=1.1, ls=DASHES[1], label="truth")
        ax.legend(frameon=False, fontsize="small", loc="upper left")
    unit = getattr(prior, "unit", "")
    name = name or posterior.target_names[0] + (f" ({unit})" if unit else "")
    ax.set_xlabel(label)
    ax.set_ylabel(name)
    return ax


def _ends(posterior, prior):
    """Ends of the target's axis: the prior's, or nearly all of the posteriors."""
    if posterior.period is not None:
        support = (posterior if prior is None else prior).support()
        low = np.min(support[0])
        return np.array([low, low + posterior.period])
    low, high = posterior.interval(0.998)
    ends = np.array([low.min(), high.max()])
    if prior is None:
        return ends
    support = np.array(prior.support(), float)
    return np.where(np.isfinite(support), support, ends)


def _require_one_target(check, what):
    """Name and unit of the target."""
    names = check.posterior.target_names
    if len(names) > 1:
        raise ValueError(
            f"{what} needs the calibration of one target, not of {', '.join(names)}"
        )
    unit = check.unit(names[0])
    return f"{names[0]} ({unit})" if unit else names[0]


def _new_axes(width, height):
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def _clear(ax):
    ax.spines[["top", "right"]].set_visible(False)
