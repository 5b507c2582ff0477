"""The El Mayor-Cucapah earthquake of 2010 from its GNSS offsets, by prior sampling.

A rectangle of uniform slip in an elastic half-space stands for the fault. Earthquakes
are drawn from the prior, their static displacements are computed and made as noisy as
the real ones, and for each parameter a committee of mixture density networks learns its
posterior. What was measured on 4 April 2010 is then one more input.

    python el_mayor.py            table and figure, in two minutes on two cores
    python el_mayor.py --check    the same posteriors by McMC, and coverage
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import fmdn
import numpy as np
import okada
from scipy import stats
from scipy.special import ndtr, ndtri

# --- Data: horizontal displacements of the stations within 300 km -------------------

TABLE = Path(__file__).parent / "data" / "el_mayor_offsets.csv"
CENTRE = -115.4, 32.4  # longitude and latitude, degrees: about the epicentre
AZIMUTH = 320.0  # of the faults of the region, degrees: "along" and "across"


def read_stations(path=TABLE, within=300.0):
    """Give east and north in km, displacements and their scatter in m, (2 n,) each."""
    lines = [line for line in open(path) if not line.startswith("#")]
    table = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf8")
    table = table[table["epicentral_dist_km"] <= within]
    lon, lat = np.radians(table["lon_deg"]), np.radians(table["lat_deg"])
    lon0, lat0 = np.radians(CENTRE)
    # azimuthal equidistant projection of the sphere
    y = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(lon - lon0)
    x = np.cos(lat) * np.sin(lon - lon0)
    scale = 6371.0 * np.arcsin(np.hypot(x, y)) / np.hypot(x, y)
    observed = np.concatenate([table["dE_m"], table["dN_m"]])
    scatter = np.concatenate([table["sdE_m"], table["sdN_m"]])
    return scale * x, scale * y, observed, scatter


EAST, NORTH, OBSERVED, SCATTER = read_stations()
FLOOR = np.hypot(SCATTER, 0.005)  # m: what late surface waves can leave
MODEL_ERROR = 0.1  # of a displacement: the Earth is no half-space, the fault no plane


def noise_sd(predicted):
    """Standard deviation of observed minus predicted displacement, m."""
    return np.hypot(FLOOR, MODEL_ERROR * predicted)


def add_noise(predicted, seed):
    """Make displacements what could be observed: this is the likelihood."""
    errors = np.random.default_rng(seed).standard_normal(predicted.shape)
    return predicted + noise_sd(predicted) * errors


# --- Prior and forward model --------------------------------------------------------

# Length and width scatter about the law of Wells and Coppersmith (1994, BSSA 84:974)
# for strike-slip faults: log10 of km = a + b magnitude.
LENGTH_LAW, LENGTH_SCATTER = (-2.57, 0.62), 0.15
WIDTH_LAW, WIDTH_SCATTER = (-0.76, 0.27), 0.14
RIGIDITY = 32e9  # Pa

PRIOR = fmdn.Prior(
    along=fmdn.Uniform(-50, 50, unit="km"),
    across=fmdn.Uniform(-50, 50, unit="km"),
    top=fmdn.Uniform(0, 10, unit="km"),
    strike=fmdn.Uniform(290, 350, unit="degrees"),
    dip=fmdn.Uniform(30, 90, unit="degrees"),
    rake=fmdn.Uniform(150, 240, unit="degrees"),
    magnitude=fmdn.Uniform(6.8, 7.6),
    length_excess=fmdn.Normal(0, LENGTH_SCATTER),  # log10 units
    width_excess=fmdn.Normal(0, WIDTH_SCATTER),
)


def fault_length(models):
    """Length of the fault in km."""
    magnitude, excess = models[:, PRIOR.names.index("magnitude")], models[:, -2]
    return 10 ** (LENGTH_LAW[0] + LENGTH_LAW[1] * magnitude + excess)


def forward(models):
    """Displacements in m of the models' faults, east of all stations and then north."""
    along, across, top, strike, dip, rake, magnitude, _, excess = models.T
    length = fault_length(models)
    width = 10 ** (WIDTH_LAW[0] + WIDTH_LAW[1] * magnitude + excess)
    moment = 10 ** (1.5 * magnitude + 9.05)  # N m
    axis = np.radians(AZIMUTH)
    fault = {
        "x": along * np.sin(axis) + across * np.cos(axis),
        "y": along * np.cos(axis) - across * np.sin(axis),
        **{"top": top, "strike": strike, "dip": dip, "rake": rake},
        **{"length": length, "width": width},
        "slip": moment / (RIGIDITY * length * width * 1e6),
    }
    data = np.empty((len(models), 2, len(EAST)))
    for i in range(0, len(models), 100):  # as many as the processor's cache holds
        some = {name: value[i : i + 100] for name, value in fault.items()}
        data[i : i + 100] = okada.displacement(EAST, NORTH, **some)
    return data.reshape(len(models), -1)


class LengthPrior(stats.rv_continuous):
    """Of the length in km: its scatter convolved with the uniform magnitudes."""

    def _terms(self, length):
        m = (np.log10(length) - LENGTH_LAW[0]) / LENGTH_LAW[1]
        sd = LENGTH_SCATTER / LENGTH_LAW[1]
        low, high = PRIOR["magnitude"].support()
        return (m[..., None] - np.array([low, high])) / sd, sd / (high - low)

    def _cdf(self, length):
        u, scale = self._terms(length)
        integral = u * ndtr(u) + stats.norm.pdf(u)
        return scale * (integral[..., 0] - integral[..., 1])

    def _pdf(self, length):
        u, scale = self._terms(length)
        per_sd = LENGTH_SCATTER * np.log(10) * length
        return scale * (ndtr(u[..., 0]) - ndtr(u[..., 1])) / per_sd


TARGETS = {name: PRIOR[name] for name in PRIOR.names[:7]}
TARGETS["length"] = LengthPrior(a=1.0, name="length")()
UNITS = {name: getattr(one, "unit", "km") for name, one in TARGETS.items()}


# --- The standard normal scale: z = Phi^-1(F(m)), F the prior's cdf of m -------------
# Every prior becomes N(0, 1), bounds included; information gains do not change.


def to_normal(values, distributions):
    return np.column_stack(
        [
            ndtri(one.cdf(column))
            for one, column in zip(distributions, values.T, strict=True)
        ]
    )


def from_normal(z, distributions):
    share = np.clip(ndtr(z), 1e-15, 1 - 1e-15)  # of the prior's probability
    return np.column_stack(
        [one.ppf(column) for one, column in zip(distributions, share.T, strict=True)]
    )


def predict(z):
    """The forward model of parameters on the normal scale."""
    return forward(from_normal(z, PRIOR.values()))


@dataclass
class Posterior:
    """A posterior on the normal scale, seen in the parameter's own unit."""

    normal: fmdn.Mixture
    prior: object

    def quantile(self, q):
        return self.prior.ppf(ndtr(self.normal.quantile(q)))

    def interval(self, confidence):
        tail = (1 - confidence) / 2
        return self.quantile(tail), self.quantile(1 - tail)

    def pdf(self, x):
        z = np.clip(ndtri(self.prior.cdf(x)), -4, 4)
        return self.normal.pdf(z) * self.prior.pdf(x) / stats.norm.pdf(z)

    def std(self):
        return self.quantile((np.arange(2000) + 0.5) / 2000).std()

    def information_gain(self):
        return self.normal.information_gain(fmdn.Normal(0, 1))

    @property
    def members(self):
        return [Posterior(member, self.prior) for member in self.normal.members]


# --- What the networks see: a linearised inversion of each data set ------------------


class FirstGuess:
    """Parameters as polynomials of the data, by least squares over prior samples."""

    n_components, n_kept = 30, 20

    def __init__(self, data, z):
        # asinh makes the noise even: its sd is FLOOR where the displacement is small
        # and MODEL_ERROR of it where it is large. Size and pattern come apart.
        pattern = self._size_and_pattern(data)[1]
        self.mean = pattern.mean(axis=0)
        some = pattern[:10_000] - self.mean
        self.axes = np.linalg.svd(some, full_matrices=False)[2][: self.n_components].T
        components = self._components(data)
        self.scale = components.mean(axis=0), components.std(axis=0)
        x = terms = self._standardise(components)
        self.coefficients = []
        for _ in range(2):  # the second time the first estimates are among the terms
            products = _products(terms)
            normal = products.T @ products + 1e-3 * len(z) * np.eye(products.shape[1])
            self.coefficients.append(np.linalg.solve(normal, products.T @ z))
            terms = self._terms(x, products @ self.coefficients[-1])

    def __call__(self, data):
        x = terms = self._standardise(self._components(data))
        for coefficients in self.coefficients:
            z = _products(terms) @ coefficients
            terms = self._terms(x, z)
        return np.clip(z, -3, 3)

    def _size_and_pattern(self, data):
        even = np.arcsinh(MODEL_ERROR * data / FLOOR)
        size = np.sqrt((even**2).mean(axis=1, keepdims=True))
        return np.log(size), even / size

    def _components(self, data):
        size, pattern = self._size_and_pattern(data)
        return np.hstack([size, (pattern - self.mean) @ self.axes])

    def _standardise(self, components):
        return np.clip((components - self.scale[0]) / self.scale[1], -4, 4)

    def _terms(self, x, z):
        return np.hstack([x[:, : self.n_kept], np.clip(1.5 * z, -4, 4)])


def _products(x):
    """One, all columns, and the products of all pairs of them."""
    i, j = np.triu_indices(x.shape[1])
    return np.hstack([np.ones((len(x), 1)), x, x[:, i] * x[:, j]])


def linearise(data, z, n_iterations=8):
    """Gauss-Newton from z: the best parameters, log sd of each, and log misfit.

    On the normal scale the prior is N(0, 1), so the step is (J'WJ + 1)^-1 (J'W r - z)
    with the residuals r and W = 1 / noise sd^2. These numbers say nearly all that the
    data say about the parameters, except where the problem is not linear: that is left
    to the networks.
    """
    z, log_sd = z.copy(), np.empty(z.shape)
    moving, n = np.arange(len(z)), z.shape[1]
    for _ in range(n_iterations):
        at = z[moving]
        predicted = predict(at)
        per_sd = 1 / noise_sd(predicted)
        shifted = predict((at[:, None] + 1e-3 * np.eye(n)).reshape(-1, n))
        jacobian = (shifted.reshape(len(at), n, -1) - predicted[:, None]) / 1e-3
        jacobian *= per_sd[:, None]
        residual = (data[moving] - predicted) * per_sd
        covariance = np.linalg.inv(jacobian @ jacobian.swapaxes(1, 2) + np.eye(n))
        step = covariance @ (jacobian @ residual[..., None] - at[..., None])
        step = np.clip(step[..., 0], -0.5, 0.5)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        z[moving], log_sd[moving] = np.clip(at + step, -3, 3), np.log(sd)
        moving = moving[(np.abs(step) > 0.1 * sd).any(axis=1)]
        if not moving.size:
            break
    predicted = predict(z)
    misfit = (((data - predicted) / noise_sd(predicted)) ** 2).mean(axis=1)
    return np.hstack([z, log_sd, np.log(misfit)[:, None]])


def make_inputs(data, guess, progress=False):
    """Give the networks' inputs for data sets (n, n_data), on all cores."""
    from tqdm import tqdm

    parts = np.array_split(data, -(-len(data) // 200))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda part: linearise(part, guess(part)), parts)
        bar = tqdm(done, "linearise", len(parts), unit="x200", disable=not progress)
        return np.concatenate(list(bar))


# --- Training -----------------------------------------------------------------------


@dataclass
class Story:
    """What was learnt: enough to turn any observation into posteriors."""

    guess: FirstGuess
    committees: dict
    joint: fmdn.Committee

    def posteriors(self, data):
        """Give a posterior of each parameter for one observation, (n_data,)."""
        inputs = make_inputs(data[None], self.guess)[0]
        return {
            name: Posterior(committee.posterior(inputs), TARGETS[name])
            for name, committee in self.committees.items()
        }

    def models(self, data, size, seed):
        """Draw models from the joint posterior of one observation."""
        inputs = make_inputs(data[None], self.guess)[0]
        z = self.joint.posterior(inputs).sample(size, seed)
        return from_normal(z, PRIOR.values())


def normal_targets(models):
    """Give the targets of models on the normal scale."""
    values = np.column_stack([models[:, :7], fault_length(models)])
    return to_normal(values, TARGETS.values())


def learn(seed, n_samples, n_members, max_iter, progress=True):
    """Simulate earthquakes and train the committees."""
    # The first guess has simulations of its own: then it is as good on the others as
    # it will be on an observation.
    samples = fmdn.simulate(
        PRIOR, forward, 2 * n_samples, seed=seed, vectorised=True, progress=progress
    )
    data = add_noise(samples.data, seed)
    z = to_normal(samples.models, PRIOR.values())
    guess = FirstGuess(data[n_samples:], z[n_samples:])
    inputs = make_inputs(data[:n_samples], guess, progress)
    targets = normal_targets(samples.models[:n_samples])

    settings = {"hidden": [20, 20], "kernels": 4, "linear_path": True, "seed": seed}
    settings |= {"max_iter": max_iter, "patience": 40}
    committees = {}
    for column, name in zip(targets.T, TARGETS, strict=True):
        committee = fmdn.Committee(n_members=n_members, **settings)
        committees[name] = committee.fit(
            inputs, column, target_names=[name], progress=progress
        )
    joint = fmdn.Committee(n_members=2, **settings | {"kernels": 2})
    joint.fit(inputs, z[:n_samples], target_names=PRIOR.names, progress=progress)
    return Story(guess, committees, joint)


# --- Table and figure ---------------------------------------------------------------


def print_table(posteriors):
    print(f"{'parameter':12}{'unit':10}{'median':>8}   90 % interval    gain (nats)")
    for name, one in posteriors.items():
        low, high = one.interval(0.9)
        digits = 2 if name == "magnitude" else 1
        interval = f"{low:.{digits}f} to {high:.{digits}f}"
        print(
            f"{name:12}{UNITS[name]:10}{one.quantile(0.5):8.{digits}f}   {interval:16} "
            f"{one.information_gain():11.2f}"
        )


def draw(posteriors, models, path):
    """Draw the posteriors beside a map of observed and predicted displacements."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from fmdn.plots import plot_posterior

    figure = plt.figure(figsize=(13, 8.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.05))
    axes = left.subplots(4, 2).ravel()
    for ax, (name, one) in zip(axes, posteriors.items(), strict=True):
        plot_posterior(one, TARGETS[name], name=name, unit=UNITS[name], ax=ax)
        ax.set_ylabel("")
        ax.set_yticks([])
    left.supylabel("probability density")
    labels = axes[0].get_legend_handles_labels()
    left.legend(*labels, loc="outside upper center", ncols=3, frameon=False)

    ax = right.subplots()
    predicted = forward(models).reshape(len(models), 2, -1)
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 0.0025, "units": "inches"}
    for i, one in enumerate(predicted):
        label = None if i else f"predicted by {len(models)} posterior samples"
        ax.quiver(EAST, NORTH, *one, **arrows, color="#d1495b", alpha=0.3, width=0.012,
                  label=label)  # fmt: skip
    ax.quiver(EAST, NORTH, *OBSERVED.reshape(2, -1), **arrows, width=0.02,
              label="observed (scale: 10 cm)")  # fmt: skip
    ax.quiver(50, 195, 0.1, 0, **arrows, width=0.02)
    axis = np.radians(AZIMUTH)
    for i, (along, across, _, strike, *_) in enumerate(models):
        x = along * np.sin(axis) + across * np.cos(axis)
        y = along * np.cos(axis) - across * np.sin(axis)
        half = fault_length(models)[i] / 2
        dx, dy = half * np.sin(np.radians(strike)), half * np.cos(np.radians(strike))
        label = None if i else "their faults, seen from above"
        ax.plot([x - dx, x + dx], [y - dy, y + dy], "#0b4f8a", alpha=0.3, label=label)
    ax.set(xlim=(-250, 150), ylim=(-110, 210), aspect="equal")
    ax.set(xlabel="east of 115.4 W (km)", ylabel="north of 32.4 N (km)")
    ax.legend(loc="lower left", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with McMC")
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("el_mayor.png"))
    options = parser.parse_args()

    sizes = {"n_samples": 40_000, "n_members": 4, "max_iter": 400}
    if options.quick:
        sizes = {"n_samples": 3_000, "n_members": 2, "max_iter": 60}
    print("{n_samples} simulations to learn from, as many for a first guess, {n_members} "
          "members of each committee".format(**sizes))  # fmt: skip
    start = time.perf_counter()
    story = learn(options.seed, **sizes)
    posteriors = story.posteriors(OBSERVED)
    print_table(posteriors)
    draw(posteriors, story.models(OBSERVED, 30, options.seed), options.output)
    print(f"{options.output} written; {time.perf_counter() - start:.0f} s in all")
    if options.check:
        import el_mayor_check

        el_mayor_check.check(story, options.seed, options.quick)


if __name__ == "__main__":
    main()
