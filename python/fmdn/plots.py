"""Figures of posteriors; matplotlib is imported when the first one is drawn.

Lines differ in weight and dash as well as in colour, so that they can be told apart
in grey.
"""

from textwrap import fill

import numpy as np

from .ranges import LOG_PROBIT, PROBIT

POSTERIOR = "#0b4f8a"
PRIOR = "0.35"
FILM = 0.002  # of a range


def plot_posterior(
    mixture,
    prior=None,
    *,
    truth=None,
    members=True,
    reference=None,
    name=None,
    unit=None,
    ax=None,
):
    """Draw the posterior of one target for one observation.

    Parameters
    ----------
    mixture : Mixture
        Of one target and one observation; or anything else with pdf, interval,
        quantile and members, a mixture seen in other units, say.
    prior : distribution, optional
        Drawn dashed; its support sets the axis.
    truth : float, optional
        Marked by a line and a triangle.
    members : bool
        Whether to draw each member's own posterior as a thin line.
    reference : (values, weights), optional
        Of another solver, shape (n,) each; drawn as a histogram.
    name, unit : str, optional
        For the axes; by default what the mixture and the prior know.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if hasattr(mixture, "n_targets"):
        if mixture.n_targets != 1 or np.ndim(mixture.weights) != 1:
            raise ValueError(
                f"mixture must be of one target and one observation, got {mixture!r}: "
                "take marginal(name) or an observation first"
            )
        name = name or mixture.target_names[0]
        # without a target axis, if there was one
        mixture = mixture.marginal(mixture.target_names[0])
    if unit is None:
        unit = getattr(prior, "unit", "")
    alone = ax is None
    if alone:
        ax = _new_figure(1)[1][0]

    period = getattr(mixture, "period", None)
    x = _grid(mixture, prior, truth) if period is None else _circle(mixture)
    density = mixture.pdf(_off_the_ends(mixture, x))
    ax.fill_between(x, density, color=POSTERIOR, alpha=0.15, linewidth=0)
    if members:
        for i, member in enumerate(mixture.members):
            label = None if i else "members"
            y = member.pdf(_off_the_ends(member, x))
            ax.plot(x, y, color=POSTERIOR, lw=0.6, alpha=0.6, label=label)
    ax.plot(x, density, color=POSTERIOR, lw=2.2, label="posterior")
    if truth is not None and period is not None:
        truth = x[0] + (truth - x[0]) % period
    if reference is not None:
        _plot_reference(ax, *reference, x, period)
    if prior is not None:
        before = _density(prior, x, period)
        ax.plot(x, before, color=PRIOR, lw=1.4, ls=(0, (5, 3)), label="prior")
    if truth is not None:
        ax.axvline(truth, color="black", lw=1.1, ls=":", label="truth", zorder=3)
        ax.plot(truth, 0, marker="^", ms=8, color="black", clip_on=False, zorder=4)
    ax.set_xlabel(f"{name} ({unit})" if unit else name)
    description = getattr(prior, "description", "")
    ax.set_title(fill(description, 40), loc="left", fontsize="small")
    ax.set_ylabel(f"probability density (1/{unit})" if unit else "probability density")
    ax.set_xlim(x[0], x[-1])
    # the committee sets the scale: a member or the prior may have a far higher peak
    top = height_of(mixture)
    if prior is not None:
        top = np.clip(before.max(), top, 2 * top)
    ax.set_ylim(0, 1.2 * top)
    ax.locator_params(axis="y", nbins=5)  # whatever the size, or the layout may not end
    ax.spines[["top", "right"]].set_visible(False)
    if alone:
        ax.legend(frameon=False)
    return ax


def plot_posteriors(
    mixtures, prior=None, *, truth=None, units=None, members=True, reference=None
):
    """Draw the posteriors of several targets, one panel each, for one observation.

    Parameters
    ----------
    mixtures : mapping of str to Mixture
    prior : mapping of str to distribution, optional
        A `Prior`; names without an entry are drawn without a prior.
    truth : mapping of str to float, optional
    units : mapping of str to str, optional
        Where they are not those of the prior.
    members : bool
    reference : WeightedModels, optional
        Of another solver: see `fmdn.reference`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    prior, truth, units = prior or {}, truth or {}, units or {}
    unknown = {**truth, **units}.keys() - mixtures.keys()
    if unknown:
        raise ValueError(f"truth or units for unknown targets: {sorted(unknown)}")
    figure, axes = _new_figure(len(mixtures))
    for ax, (name, mixture) in zip(axes, mixtures.items(), strict=True):
        plot_posterior(
            mixture,
            prior.get(name),
            truth=truth.get(name),
            members=members,
            reference=_of_reference(reference, name),
            name=name,
            unit=units.get(name),
            ax=ax,
        )
        ax.set_ylabel(ax.get_ylabel().replace("probability density", "density"))
    handles = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(),
        handles,
        loc="outside upper center",
        ncols=5 if figure.get_figwidth() > 6.5 else 3,
        frameon=False,
    )
    return figure


def _off_the_ends(mixture, x):
    """Return points moved out of the film where a mapped density may be infinite."""
    ranges = getattr(mixture, "_ranges", None)
    if ranges is None or ranges.kinds[0] not in (PROBIT, LOG_PROBIT):
        return x
    low, high = ranges.support
    film = FILM * (high - low)
    return np.where((x < low) | (x > high), x, np.clip(x, low + film, high - film))


def height_of(mixture):
    """Return the height of a density, but for spikes that hold hardly anything.

    It is the mean density between those of 21 quantiles that lie closest together. A
    density may rise without end in a film along its bound.
    """
    apart = np.diff(mixture.quantile(np.linspace(0, 1, 21)))
    return 1 / (20 * apart[apart > 0].min())


def _of_reference(reference, name):
    """Return values and weights, None for a target that the reference does not know."""
    if reference is None or name not in reference.names:
        return None
    return reference[name], reference.weights


def _plot_reference(ax, values, weights, x, period):
    """Draw a weighted histogram, as fine as the number of its samples allows."""
    values, weights = np.asarray(values, float), weights / np.sum(weights)
    if period is not None:
        values = x[0] + np.mod(values - x[0], period)
    # values may be points of a grid: each stands for all that is nearer to it
    values, which = np.unique(values, return_inverse=True)
    mass = np.bincount(which, weights)
    ends = (values[1:] + values[:-1]) / 2
    ends = np.concatenate([values[:1], ends, values[-1:]])
    held = np.concatenate([[0], np.cumsum(mass)])
    low, q1, q3, high = np.interp([0.001, 0.25, 0.75, 0.999], held, ends)
    width = 2 * max(q3 - q1, 1e-9 * (high - low)) * np.cbrt(np.sum(weights**2))
    n_bins = int(np.clip((high - low) / width, 10, 60))  # Freedman and Diaconis 1981
    edges = np.linspace(low, high, n_bins + 1)
    density = np.diff(np.interp(edges, ends, held)) / np.diff(edges)
    ax.stairs(density, edges, color="black", lw=1, label="reference")


def _grid(mixture, prior, truth):
    """Return points over the posterior and the prior, with the prior's steps sharp."""
    low, high = mixture.interval(0.999)
    ends, steps = np.array([]), []
    if prior is not None:
        bounds = np.array(prior.support(), float)
        ends = np.where(
            np.isfinite(bounds), bounds, prior.ppf(np.array([0.005, 0.995]))
        )
        beside = bounds + np.array([-1e-9, 1e-9]) * np.ptp(ends)
        steps = [x for x in (*bounds, *beside) if np.isfinite(x)]
    whole = np.concatenate([ends, [low, high], [] if truth is None else [truth]])
    left, right = whole.min(), whole.max()
    margin = 0.04 * (right - left)
    coarse = np.linspace(left - margin, right + margin, 501)
    fine = np.linspace(low, high, 501)  # a posterior may be narrow
    return np.unique(np.concatenate([coarse, fine, steps]))


def _circle(mixture):
    """Return points once around, from the cut opposite to the circular mean."""
    whole = np.linspace(*mixture.support(), 1001)
    fine = np.linspace(*mixture.interval(0.999), 501)
    return np.unique(np.concatenate([whole, fine]))


def _density(prior, x, period):
    """Return the prior's density; around a circle it is where the prior has it."""
    low = prior.support()[0] if period is not None else -np.inf
    return prior.pdf(low + (x - low) % period if np.isfinite(low) else x)


def _new_figure(n_panels):
    """Return a figure and its axes, in rows of at most three."""
    import matplotlib.pyplot as plt

    columns = min(n_panels, 3) if n_panels != 4 else 2
    rows = -(-n_panels // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(max(3.4 * columns, 5.0), max(2.6 * rows, 3.4)),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[n_panels:]:
        ax.remove()
    return figure, axes.flat[:n_panels]
