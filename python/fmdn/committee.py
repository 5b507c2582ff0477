"""A committee of mixture density networks: from rows to posteriors."""

from __future__ import annotations

import numpy as np

from . import _boundary, _boundary_inputs, extras
from ._boundary_targets import get_ranges
from .arguments import check_weights
from .estimator import Estimator
from .fitting import member_history, report_failures, train
from .held_out import check_coverage
from .inputs import Treatment
from .members import Members
from .mixture import Mixture
from .observations import check_observations
from .plan import Plan
from .sensitivity import Sensitivity
from .stored import Stored
from .threads import count_threads


class Committee(Members, Stored, Estimator):
    """Networks that turn an observation into a posterior density.

    Each member is a network with tanh hidden layers whose outputs are the weights,
    means and covariances of Gaussian kernels (Bishop 1994). Members differ in size,
    start, noise and monitor set; their densities are combined into one mixture with
    weights from a set of rows that none of them was trained on (Kaeufl et al. 2016).

    Parameters
    ----------
    n_members : int
        Number of networks.
    hidden : "auto", int, (int, int) or list of int
        Units of the hidden layer; drawn for each member between two bounds when a
        tuple; the widths of several layers when a list. With `hidden` and `kernels` at
        "auto" `fit` tries several kinds of network and keeps the one whose monitor loss
        is the lowest (docs/training.md). With one of them given the other is (25, 50)
        or (3, 8), and each member is trained in one plain run.
    kernels : "auto", int or (int, int)
        Gaussian kernels of a member; drawn between two bounds when a tuple.
    covariance : {"full", "diagonal", "isotropic"}
        Of the kernels; of no effect with one target. With "full", sizes at "auto" and
        targets that have ends `fit` tries "diagonal" as well (docs/bounds.md).
    linear_path : "auto" or bool
        Whether the inputs also reach the outputs straight, by a linear map, on which
        they count at most ten standard deviations.
    max_iter : "auto" or int
        L-BFGS iterations of a member at most; 1000 where a size is given.
    patience : "auto", int or None
        Iterations without a better monitor loss after which a member stops; 50 where a
        size is given. None: never.
    seed : int
        The same seed gives the same committee, bit for bit, on any number of threads.
    n_threads : int, optional
        Threads for training; by default OMP_NUM_THREADS or all cores.

    Attributes
    ----------
    layout_, parameters_ : ndarray
        The committee as the core takes it.
    history_ : list of dict
        For each member why it stopped, its iterations, the best of them, and the losses
        on the way (nats, in the targets' units).
    weights_ : ndarray, shape (n_members,)
        Of the members; `weighting_losses_` are the mean losses they come from.
    prior_ : Prior or None
        Of the targets: what `fit` was given, or quantiles of the training targets.
    kind_ : int or None
        Which kind of network was chosen (docs/training.md); None with sizes given.
    input_names_, target_names_ : list of str
    n_features_in_, n_targets_ : int

    Examples
    --------
    >>> committee = Committee(n_members=5, seed=1).fit(data, depth)
    >>> committee.posterior(observed).interval(0.9)
    """

    def __init__(
        self,
        n_members=10,
        hidden="auto",
        kernels="auto",
        covariance="full",
        linear_path="auto",
        max_iter="auto",
        patience="auto",
        seed=0,
        n_threads=None,
    ):
        self.n_members = n_members
        self.hidden = hidden
        self.kernels = kernels
        self.covariance = covariance
        self.linear_path = linear_path
        self.max_iter = max_iter
        self.patience = patience
        self.seed = seed
        self.n_threads = n_threads

    # --- Training ------------------------------------------------------------------

    def fit(
        self,
        inputs,
        targets,
        *,
        monitor=None,
        weighting=None,
        groups=None,
        sample_weight=None,
        noise=None,
        models=None,
        missing=None,
        components=None,
        encoder=None,
        replicate=1,
        prior=None,
        input_names=None,
        target_names=None,
        checkpoint=None,
        executor=None,
        progress=False,
    ):
        """Train the members and weigh them.

        Unless they are given, a tenth of the rows weighs the members, and a tenth of
        the rest monitors each of them: another tenth for the next member. With sizes at
        "auto" fewer than 5,000 rows spare none to weigh, and members count the same.
        Rows of no weight are as good as not there.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
            Simulated data, one row for each prior sample.
        targets : array_like, shape (n,) or (n, n_targets)
            What to infer from them. With sizes at "auto" targets that are rounded, such
            as whole numbers, are blurred by a quarter of their step (docs/training.md).
        monitor, weighting : (inputs, targets), optional
            Sets that stop the training and weigh the members. With `monitor` alone all
            other rows train, and it gives the weights too.
        groups : array_like, shape (n,), optional
            Rows of one group stay on one side of every split.
        sample_weight : array_like, shape (n,), optional
            Weights of the rows in the loss.
        noise : Noise, float, array_like or callable, optional
            Added to all inputs, which are noise-free as given: afresh for every member
            where a row trains, one draw for the rows that monitor and weigh. Numbers
            are a standard deviation (`GaussianNoise`), a function is `FunctionNoise`.
        models : array_like, shape (n, n_parameters), optional
            What a noise function is given as models; by default the targets.
        missing : sequence of sequences of int, optional
            Groups of inputs that an observation may lack, such as the components of a
            station: they go missing at random in training, and NaN says so.
        components : int or float, optional
            Principal components that the inputs are replaced by: their number, or the
            share of the variance that they have to keep.
        encoder : object, optional
            Its ``transform(inputs)``, row by row, is what the networks see; its
            ``fit(inputs)``, if it has one, is called with noisy inputs before.
        replicate : int
            How often each row is used, each time with other noise. Replicas of a row
            stay on one side of every split.
        prior : Prior, distribution or sequence of distributions, optional
            Of the targets, in order; gives names, and where posteriors end and wrap.
        input_names, target_names : sequence of str, optional
            By default a data frame's columns, or the prior's names.
        checkpoint : path, optional
            File to which each finished member is written; with sizes at "auto" files
            beside it have the other kinds. The same call goes on from there after an
            interruption, to the same bits.
        executor : concurrent.futures.Executor, optional
            Trains one member a task, in place of threads.
        progress : bool
            Whether to show a progress bar (tqdm).

        Returns
        -------
        Committee
            Itself.

        Raises
        ------
        ValueError, TypeError
            When an argument is of no use; the message says which, and where.
        KeyboardInterrupt
            After Ctrl-C. Members that were finished make a committee that can be used.
        """
        plan = Plan.of(
            self,
            inputs,
            targets,
            monitor=monitor,
            weighting=weighting,
            groups=groups,
            sample_weight=sample_weight,
            treatment=Treatment(noise, missing, components, encoder, replicate, models),
            prior=prior,
            input_names=input_names,
            target_names=target_names,
        )
        training = _boundary.Training.of(plan.n_members, plan.max_iter)
        try:
            train(plan, training, checkpoint, executor, progress)
        finally:
            self._take(plan, training)
        report_failures(training, stacklevel=3)
        check_coverage(self, plan, training, stacklevel=3)
        return self

    def _take(self, plan: Plan, training: _boundary.Training) -> None:
        """Become the committee of the trained members, if there are any, weighed."""
        trained = training.trained()
        if not trained.any():
            return
        self.layout_, self.parameters_ = _boundary.select_members(
            plan.layout, plan.parameters, trained
        )
        self.weighting_losses_ = _boundary.weigh_members(
            self.layout_,
            self.parameters_,
            plan.rows_to_weigh(),
            plan.n_threads,
            plan.stacked,
        )
        self.history_ = [member_history(training, k) for k in np.flatnonzero(trained)]
        self.kind_ = plan.kind
        self.input_names_ = plan.input_names
        self.target_names_ = plan.target_names
        self.prior_ = plan.prior
        self._one_target_axis = plan.one_target_axis
        self._encoder = plan.encoder
        self._settle()
        extras.remember(self, plan.rows_to_remember())
        if plan.features is None:
            vars(self).pop("feature_names_in_", None)
        else:
            self.feature_names_in_ = plan.features

    def _settle(self) -> None:
        """Set what follows from layout and parameters."""
        sizes = _boundary.describe(self.layout_, self.parameters_)
        self.n_features_in_ = sizes.n_inputs
        if self._encoder is not None:
            self.n_features_in_ += self._encoder.n_more
        self.n_targets_ = sizes.n_targets
        groups = _boundary_inputs.missing_groups(self.layout_, self.n_features_in_)
        self._may_be_nan = groups > 0 if groups.any() else None
        self._kernels = sizes.kernels.tolist()
        self.weights_ = sizes.weights
        self._ranges = get_ranges(self.layout_, self.parameters_, sizes.n_targets)

    # --- Applying ------------------------------------------------------------------

    def posterior(self, inputs) -> Mixture:
        """Give the posterior of one observation, or of several.

        Parameters
        ----------
        inputs : array_like, shape (n_inputs,) or (n, n_inputs)

        Returns
        -------
        Mixture
        """
        self._require_fit()
        rows = self._check_inputs(inputs, (1, 2))
        weights, means, factors = _boundary.posterior(
            self.layout_,
            self.parameters_,
            self._encoded(rows.reshape(-1, self.n_features_in_)),
            self.n_targets_,
            sum(self._kernels),
            count_threads(self.n_threads),
        )
        return Mixture(
            weights,
            means,
            factors,
            single=rows.ndim == 1,
            one_target_axis=self._one_target_axis,
            target_names=self.target_names_,
            member_kernels=self._kernels,
            ranges=self._ranges,
            prior=self.prior_,
        )

    def predict(self, inputs):
        """Give the posterior means, shaped like the targets.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)

        Returns
        -------
        ndarray, shape (n,) or (n, n_targets)
        """
        self._require_fit()
        self._check_inputs(inputs)
        return self.posterior(inputs).mean()

    def log_density(self, inputs, targets):
        """Give log p(target | inputs) in nats: -inf outside the prior given to `fit`.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
        targets : array_like, shape (n,) or (n, n_targets)

        Returns
        -------
        ndarray, shape (n,)
        """
        inputs, targets = self._check_rows(inputs, targets)
        return _boundary.log_density(
            self.layout_,
            self.parameters_,
            self._encoded(inputs),
            targets,
            count_threads(self.n_threads),
        )

    def sensitivity(self, inputs) -> Sensitivity:
        """Give the derivatives of `posterior(inputs)` with respect to the inputs."""
        return Sensitivity(self, inputs)

    def score(self, X, y, sample_weight=None) -> float:
        """Give the mean log density: the higher the better."""
        log_p = self.log_density(X, y)
        return float(
            np.average(log_p, weights=check_weights(sample_weight, len(log_p)))
        )

    def _check_inputs(self, inputs, ndim: tuple[int, ...] = (2,)):
        names = getattr(self, "feature_names_in_", None)
        return check_observations(
            inputs, self.n_features_in_, names, self._may_be_nan, ndim
        )

    def _encoded(self, rows):
        return rows if self._encoder is None else self._encoder.encode(rows)
