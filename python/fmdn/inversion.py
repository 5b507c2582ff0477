"""Inversion: a committee for each of several targets, from one set of prior samples."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import _boundary, _boundary_file
from ._boundary import Training
from .checks import check_rows
from .cloud import cloud_of, novelty
from .committee import Committee
from .fitting import report_failures, train, train_together
from .held_out import check_coverage
from .inputs import Treatment
from .plan import Plan
from .posteriors import Posteriors
from .raw import RawInputs
from .simulation import Samples
from .stored_prior import part_of, together
from .threads import count_threads

NO_NOISE = (
    "no noise is given: the data then count as exact, and the posteriors are those of "
    "measurements without errors; noise=0 says that this is meant"
)


class Inversion:
    """Posteriors of many targets, each by its own committee.

    Parameters
    ----------
    samples : Samples
        Models and their noise-free data.
    noise : Noise, float, array_like or callable, optional
        What a measurement adds to the data; a callable is given data and models. Zero
        says that the data are exact, or noisy as they are.
    targets : list, optional
        What to infer, each entry one committee: the name of a parameter, a tuple of
        names for a joint posterior, or ``{name: function}`` for a quantity that
        ``function(models)`` computes, (n, n_parameters) to (n,). By default every
        parameter by itself.
    missing, components, encoder, replicate
        What is done to the data: see `Committee.fit`.
    **settings
        Of the committees: see `Committee`.

    Examples
    --------
    >>> inversion = Inversion(samples, noise=GaussianNoise(0.005), n_members=10,
    ...                       targets=["magnitude", ("strike", "dip")])
    >>> inversion.fit().posterior(observed)["magnitude"].interval(0.9)
    """

    def __init__(
        self,
        samples,
        noise=None,
        targets=None,
        *,
        missing=None,
        components=None,
        encoder=None,
        replicate=1,
        **settings,
    ):
        if not isinstance(samples, Samples):
            raise TypeError(
                f"samples must be a fmdn.Samples, not {type(samples).__name__}; "
                "Samples(models, data) makes one of your own arrays"
            )
        Committee(**settings)  # a setting that is unknown shows now, not after a run
        self.treatment = Treatment(
            noise, missing, components, encoder, replicate, samples.models
        )
        self.noise = self.treatment.noise
        if self.noise is not None:
            self.noise.channel_sd(samples.data.shape[1])
        self.samples, self.settings = samples, settings
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

        An executor gets all members of all committees at once.

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
        if self.noise is None:
            warnings.warn(NO_NOISE, UserWarning, stacklevel=2)
        if checkpoint is not None:
            Path(checkpoint).mkdir(parents=True, exist_ok=True)
        inputs, treatment = self._shared()
        self.committees_ = {}
        fits = {}
        try:
            for number, (key, values) in enumerate(self.targets.items()):
                names = key if isinstance(key, tuple) else (key,)
                committee = Committee(**self.settings)
                plan = Plan.of(
                    committee,
                    inputs,
                    values,
                    groups=groups,
                    sample_weight=sample_weight,
                    treatment=treatment,
                    prior=part_of(self.prior, names),
                    target_names=names,
                )
                treatment = replace(treatment, encoder=plan.encoder)  # fitted once
                file = checkpoint and Path(checkpoint) / f"target_{number}.mdn"
                training = Training.of(plan.n_members, plan.max_iter)
                fits[key] = committee, plan, training, file
                if executor is None:
                    train(plan, training, file, None, progress)
            if executor is not None:
                train_together([fit[1:] for fit in fits.values()], executor, progress)
        finally:
            for key, (committee, plan, training, _) in fits.items():
                committee._take(plan, training)  # also if it was interrupted
                if hasattr(committee, "layout_"):
                    self.committees_[key] = committee
        for committee, plan, training, _ in fits.values():
            report_failures(training, stacklevel=3)
            check_coverage(committee, plan, training, stacklevel=3)
        return self

    def _shared(self):
        """Give inputs of all committees, after what is done but once, and the rest."""
        if self.treatment.is_plain:
            return check_rows("data", self.samples.data), self.treatment
        raw = RawInputs("data", self.samples.data)
        n_threads = count_threads(self.settings.get("n_threads"))
        projected = self.treatment.project(raw, n_threads)
        return raw.value if projected is None else projected, self.treatment

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

    def summary(self, observed, confidence=0.9):
        """Give a table of the posteriors: see `Posteriors.summary`.

        Warns when an observation is unlike the training set: see `novelty`.
        """
        self._look_at(observed)
        return self.posterior(observed).summary(confidence)

    def plot(self, observed, **options):
        """Draw the posteriors of one observation: see `Posteriors.plot`.

        Warns when it is unlike the training set: see `novelty`.
        """
        self._look_at(observed)
        return self.posterior(observed).plot(**options)

    def _look_at(self, observed):
        if cloud_of(self) is not None:
            novelty(self, observed, stacklevel=4)

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
    def _from_entries(cls, entries, encoder=None):
        self = cls.__new__(cls)
        self.samples = self.noise = self.targets = self.treatment = None
        self.settings, self.committees_ = {}, {}
        for entry in entries:
            committee = Committee._from_entry(entry, encoder)
            names = tuple(committee.target_names_)
            self.committees_[names if len(names) > 1 else names[0]] = committee
        self.prior = together(None, [one.prior_ for one in self.committees_.values()])
        return self


def load(path, encoder=None):
    """Read a model file, or a committee file of the original program.

    Parameters
    ----------
    path : path
    encoder : object, optional
        The one ahead of the networks, which the file knows but does not hold: without
        it, or with another one, a model that was trained behind it is refused.

    Returns
    -------
    Committee or Inversion
        What was saved. An inversion gives posteriors again, but a file holds no
        samples; of the prior it has what can be written down, and quantiles of the
        training targets for the rest.
    """
    entries = _boundary_file.read_file(path)
    try:
        if len(entries) == 1 and entries[0][0] == "":
            return Committee._from_entry(entries[0], encoder)
        return Inversion._from_entries(entries, encoder)
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
