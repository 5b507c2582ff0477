"""Inversion: a committee for each of several targets, from one set of prior samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import _boundary, _boundary_file
from .committee import Committee
from .noise import GaussianNoise
from .priors import Prior
from .simulation import Samples
from .tables import Table


class Inversion:
    """Posteriors of many targets, each by its own committee.

    Parameters
    ----------
    samples : Samples
        Models and their noise-free data.
    noise : GaussianNoise, float or array_like, optional
        What a measurement adds to the data.
    targets : list, optional
        What to infer, each entry one committee: the name of a parameter, a tuple of
        names for a joint posterior, or ``{name: function}`` for a quantity that
        ``function(models)`` computes, (n, n_parameters) to (n,). By default every
        parameter by itself.
    **settings
        Of the committees: see `Committee`.

    Examples
    --------
    >>> inversion = Inversion(samples, noise=GaussianNoise(0.005), n_members=10,
    ...                       targets=["magnitude", ("strike", "dip")])
    >>> inversion.fit().posterior(observed)["magnitude"].interval(0.9)
    """

    def __init__(self, samples, noise=None, targets=None, **settings):
        if not isinstance(samples, Samples):
            raise TypeError(
                f"samples must be a fmdn.Samples, not {type(samples).__name__}; "
                "Samples(models, data) makes one of your own arrays"
            )
        if noise is not None:
            noise = noise if isinstance(noise, GaussianNoise) else GaussianNoise(noise)
            noise.sd_for(samples.data.shape[1])
        Committee(**settings)  # a setting that is unknown shows now, not after a run
        self.samples, self.noise, self.settings = samples, noise, settings
        self.prior = samples.prior
        self.targets = _columns_of(samples, targets)
        self.committees_ = {}

    def __repr__(self):
        """Return the targets, and how many of them have been trained."""
        targets = ", ".join(map(repr, self.targets or self.committees_))
        return f"<Inversion for {targets}: {len(self.committees_)} trained>"

    def fit(
        self,
        *,
        groups=None,
        sample_weight=None,
        checkpoint=None,
        executor=None,
        progress=False,
    ):
        """Train the committees, one after the other, each on all processors.

        What is trained stays usable when the rest is interrupted.

        Parameters
        ----------
        groups, sample_weight : array_like, shape (n,), optional
            Of the samples, as for `Committee.fit`.
        checkpoint : path, optional
            Folder to which each finished member is written, a file for each target. The
            same call goes on from there after an interruption, to the same bits.
        executor : concurrent.futures.Executor, optional
            Trains one member a task, in place of threads.
        progress : bool
            Whether to show a progress bar for each target (tqdm).

        Returns
        -------
        Inversion
            Itself.
        """
        if self.samples is None:
            raise RuntimeError("an inversion read from a file has no samples to fit")
        if checkpoint is not None:
            Path(checkpoint).mkdir(parents=True, exist_ok=True)
        self.committees_ = {}
        for number, (key, values) in enumerate(self.targets.items()):
            names = key if isinstance(key, tuple) else (key,)
            committee = Committee(**self.settings)
            file = None if checkpoint is None else f"target_{number}.mdn"
            try:
                committee.fit(
                    self.samples.data,
                    values,
                    groups=groups,
                    sample_weight=sample_weight,
                    noise=self.noise,
                    prior=_prior_of(self.prior, names),
                    target_names=names,
                    checkpoint=file and Path(checkpoint) / file,
                    executor=executor,
                    progress=progress,
                )
            finally:
                if hasattr(committee, "layout_"):  # also if it was interrupted
                    self.committees_[key] = committee
        return self

    def __getitem__(self, key):
        """Return the committee of a target; that of a joint one by its tuple."""
        if key not in self.committees_:
            known = ", ".join(map(repr, self.committees_)) or "none: call fit() first"
            raise KeyError(f"no committee for {key!r}; there is {known}")
        return self.committees_[key]

    def posterior(self, observed):
        """Return the posterior of every target.

        Parameters
        ----------
        observed : array_like, shape (n_data,) or (n, n_data)
            One observation, or several.

        Returns
        -------
        Posteriors
        """
        if not self.committees_:
            raise RuntimeError("the inversion is not trained: call fit() first")
        mixtures = {k: one.posterior(observed) for k, one in self.committees_.items()}
        return Posteriors(mixtures, self.prior)

    def plot(self, observed, **options):
        """Draw the posteriors of one observation: see `Posteriors.plot`."""
        return self.posterior(observed).plot(**options)

    def save(self, path):
        """Write all committees to one model file, which `load` reads."""
        if not self.committees_:
            raise RuntimeError("the inversion is not trained: call fit() first")
        entries = [
            one._to_entry(", ".join(key) if isinstance(key, tuple) else key)
            for key, one in self.committees_.items()
        ]
        _boundary_file.write_file(path, entries)

    @classmethod
    def _from_entries(cls, entries):
        self = cls.__new__(cls)
        self.samples = self.noise = self.prior = self.targets = None
        self.settings, self.committees_ = {}, {}
        for entry in entries:
            committee = Committee._from_entry(entry)
            names = tuple(committee.target_names_)
            self.committees_[names if len(names) > 1 else names[0]] = committee
        return self


class Posteriors(Mapping):
    """The posteriors of an inversion: a mapping from target to `Mixture`.

    A target that was inferred jointly with others is also found by its own name,
    which gives its marginal.

    Attributes
    ----------
    prior : Prior or None
    """

    def __init__(self, mixtures, prior=None):
        self._mixtures = mixtures
        self.prior = prior

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
        table = Summary()
        for name, mixture in self.marginals().items():
            prior = _prior_of(self.prior, (name,))
            unit = prior.units[0] if prior else ""
            low, high = mixture.interval(confidence)
            gain = mixture.information_gain(prior[name]) if prior else np.nan
            columns = np.broadcast_arrays(mixture.median(), low, high, gain)
            for i, values in enumerate(zip(*map(np.ravel, columns), strict=True)):
                table.append(SummaryRow(name, unit, i, *map(float, values)))
        return table

    def plot(self, **options):
        """Draw prior, members and posterior of each target, one panel each.

        Takes what `fmdn.plots.plot_posteriors` does; returns its Figure.
        """
        from .plots import plot_posteriors

        return plot_posteriors(self.marginals(), self.prior, **options)


class SummaryRow(NamedTuple):
    """One line of a summary; `gain` is the information gain in nats."""

    target: str
    unit: str
    observation: int
    median: float
    low: float
    high: float
    gain: float


class Summary(Table):
    """Rows of a summary, printed as a table."""

    texts = "target", "unit"

    def cells(self):
        """Give the lines; numbers with the digits that the interval leaves sense."""
        several = any(row.observation for row in self)
        yield ["target", "unit", *["no."] * several, "median", "low", "high", "gain"]
        for row in self:
            spread = abs(row.high - row.low) or 1.0
            digits = int(np.clip(2 - np.floor(np.log10(spread)), 0, 12))
            numbers = [f"{x:.{digits}f}" for x in (row.median, row.low, row.high)]
            gain = "" if np.isnan(row.gain) else f"{row.gain:.2f} nat"
            number = [str(row.observation)] * several
            yield [row.target, row.unit, *number, *numbers, gain]


def load(path):
    """Read a model file.

    Returns
    -------
    Committee or Inversion
        What was saved. An inversion gives posteriors again, but a file holds neither
        samples nor prior: its summary has no gains, its figures no prior.
    """
    entries = _boundary_file.read_file(path)
    try:
        if len(entries) == 1 and entries[0][0] == "":
            return Committee._from_entry(entries[0])
        return Inversion._from_entries(entries)
    except _boundary.FmdnError as error:
        raise _boundary.ModelFileError(f"{path}: {error}") from None


def _columns_of(samples, targets):
    """Return {name or tuple of names: values, shape (n,) or (n, c)}."""
    if targets is None:
        targets = samples.names
    elif isinstance(targets, (str, Mapping)):
        targets = [targets]
    columns = {}
    for target in targets:
        if isinstance(target, str):
            found = {target: samples[target]}
        elif isinstance(target, tuple) and target:
            if len(set(target)) != len(target):
                raise ValueError(f"targets: {target} names a parameter twice")
            found = {target: np.column_stack([samples[name] for name in target])}
        elif isinstance(target, Mapping) and target:
            found = {name: _derived(samples, name, f) for name, f in target.items()}
        else:
            raise TypeError(
                "targets: each must be a name, a tuple of names or {name: function}, "
                f"not {target!r}"
            )
        for key, values in found.items():
            if key in columns:
                raise ValueError(f"targets: {key!r} is there twice")
            if not (key and all(key)):
                raise ValueError("targets: a name is empty")
            columns[key] = values
    if not columns:
        raise ValueError("targets: there is none")
    return columns


def _derived(samples, name, function):
    if not callable(function):
        raise TypeError(f"targets: {name!r} needs a function of the models")
    if name in samples.names:
        raise ValueError(f"targets: {name!r} is the name of a parameter already")
    values = np.asarray(function(samples.models.copy()))
    if values.shape != (len(samples),):
        raise ValueError(
            f"targets: the function of {name!r} must return one number per model, "
            f"shape ({len(samples)},), but returned {values.shape}"
        )
    return values


def _prior_of(prior, names):
    """Return the prior of these names alone, None where one of them has no prior."""
    if prior is None or not all(name in prior for name in names):
        return None
    return Prior(**{name: prior[name] for name in names})
