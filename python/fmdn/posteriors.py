"""The posteriors of an inversion, and their table."""

from collections.abc import Mapping

from .stored_prior import together
from .summary import summarise


class Posteriors(Mapping):
    """The posteriors of an inversion: a mapping from target to `Mixture`.

    A target that was inferred jointly with others is also found by its own name,
    which gives its marginal.

    Attributes
    ----------
    prior : Prior or None
        What was given, and what the posteriors know of other targets.
    """

    def __init__(self, mixtures, prior=None):
        self._mixtures = mixtures
        self.prior = together(prior, [one.prior for one in mixtures.values()])

    def __getitem__(self, key):
        """Return the posterior of a target."""
        if key in self._mixtures:
            return self._mixtures[key]
        for names, mixture in self._mixtures.items():
            if isinstance(names, tuple) and key in names:
                return mixture.marginal(key)
        known = ", ".join(map(repr, self._mixtures))
        raise KeyError(f"no posterior of {key!r}; there is {known}")

    def __iter__(self):
        """Go through the targets."""
        return iter(self._mixtures)

    def __len__(self):
        """Return the number of targets."""
        return len(self._mixtures)

    def __repr__(self):
        """Return the targets."""
        return f"<Posteriors of {', '.join(map(repr, self))}>"

    def marginals(self):
        """Return {name: Mixture} with the joint ones taken apart."""
        keys = [k if isinstance(k, tuple) else (k,) for k in self]
        return {name: self[name] for names in keys for name in names}

    def summary(self, confidence=0.9):
        """Return a table of medians, intervals and information gains.

        Parameters
        ----------
        confidence : float
            Probability within the interval, half of the rest on either side.

        Returns
        -------
        Summary
            A list with a `SummaryRow` per target (and observation) that prints as a
            table; ``pandas.DataFrame(summary)`` takes it as it is.
        """
        return summarise(self.marginals(), self.prior, confidence)

    def to_datatree(self, size=4000, seed=0):
        """Draws as ArviZ takes them, the prior's too: see `Mixture.to_datatree`.

        Targets that were inferred together are drawn together. Others are drawn from
        their own posteriors: how they depend on each other is not in the draws.
        """
        from .datatree import to_datatree

        return to_datatree(self._mixtures.values(), self.prior, size, seed)

    to_arviz = to_datatree

    def plot(self, **options):
        """Draw prior, members and posterior of each target, one panel each.

        Takes what `fmdn.plots.plot_posteriors` does; returns its Figure.
        """
        from .plots import plot_posteriors

        return plot_posteriors(self.marginals(), self.prior, **options)
