"""Are the networks right? Markov chains for the same posteriors, and coverage.

Called by `el_mayor.py --check`. Prior, noise and data are the same; only the way from
them to the posterior differs: emcee (Foreman-Mackey et al. 2013) walks through the
space of models, here on the normal scale, where the prior is N(0, 1) without bounds.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from el_mayor_inputs import log_posterior, make_inputs
from el_mayor_model import (
    OBSERVED,
    PRIOR,
    TARGETS,
    UNITS,
    add_noise,
    forward,
    from_normal,
    noise_sd,
    normal_targets,
)
from scipy import stats
from scipy.special import logsumexp, ndtr

N_ENSEMBLES, N_WALKERS = 4, 60
MAX_ROUNDS, R_HAT = 6, 1.01


@dataclass
class Chains:
    """Samples of one posterior: (n, n_targets) on the normal scale."""

    z: np.ndarray
    r_hat: float
    misfit: float  # mean of the weighted squared residuals per datum, 1 if all is well


def walk(observed, seed, n_steps):
    """Sample a posterior by four ensembles of walkers from different starts."""
    import emcee

    rng = np.random.default_rng(seed)
    # Starts: prior samples drawn by the tenth root of their likelihood, so far apart
    # but not lost.
    z = rng.standard_normal((20_000, len(PRIOR)))
    log_weight = (log_posterior(z, observed) + 0.5 * (z**2).sum(axis=1)) / 10
    weight = np.exp(log_weight - logsumexp(log_weight))
    starts = z[rng.choice(len(z), (N_ENSEMBLES, N_WALKERS), p=weight)]
    starts += 0.01 * rng.standard_normal(starts.shape)

    def ensembles(jumps):
        for k in range(N_ENSEMBLES):
            sampler = emcee.EnsembleSampler(
                N_WALKERS, z.shape[1], log_posterior, args=[observed],
                moves=[(emcee.moves.DEMove(), 0.8), (jumps, 0.2)], vectorize=True,
            )  # fmt: skip
            sampler.random_state = np.random.RandomState(seed + k).get_state()
            yield sampler

    # Snooker moves bring the walkers together. emcee accepts a few too many of them
    # (its pull request 531), so that they have no part in the samples: then a fifth of
    # the moves is by a whole difference, from one mode to another.
    first = ensembles(emcee.moves.DESnookerMove())
    states = [s.run_mcmc(at, n_steps) for s, at in zip(first, starts, strict=True)]
    samplers = list(ensembles(emcee.moves.DEMove(gamma0=1.0)))
    for _ in range(MAX_ROUNDS):
        states = [
            one.run_mcmc(at, n_steps) for one, at in zip(samplers, states, strict=True)
        ]
        burn = samplers[0].iteration // 3
        chains = np.array([one.get_chain(discard=burn, thin=10) for one in samplers])
        r_hat = largest_r_hat(chains.reshape(N_ENSEMBLES, -1, z.shape[1]))
        if r_hat < R_HAT:
            break
    models = from_normal(chains.reshape(-1, z.shape[1])[::5], PRIOR.values())
    predicted = forward(models)
    misfit = (((observed - predicted) / noise_sd(predicted)) ** 2).mean()
    return Chains(normal_targets(models), r_hat, misfit)


def largest_r_hat(chains):
    """Gelman and Rubin's factor of halved chains (n_chains, n, n_parameters)."""
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, half : 2 * half]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((half - 1) / half + between / within).max()


def gain_of_samples(z):
    """KL(posterior || prior) in nats of samples on the normal scale, smoothed.

    The kernel's width suits a thousand independent samples. It broadens the density by
    some percent, which costs about 0.02 nats.
    """
    edges = np.linspace(z.min() - 1, z.max() + 1, 2001)
    x, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    spread = np.subtract(*np.quantile(z, [0.75, 0.25])) / 1.349
    kernel = stats.norm.pdf(x, x.mean(), 0.9 * min(spread, z.std()) * 1000**-0.2)
    density = np.convolve(np.histogram(z, edges)[0], kernel / kernel.sum(), "same")
    density = density / (density.sum() * width)
    some = density > 0
    log_ratio = np.log(density[some] / stats.norm.pdf(x[some]))
    return (density[some] * log_ratio).sum() * width


def compare(name, posteriors, chains):
    """Print both answers for one event; give whether each goal is met."""
    print(f"\n{name}: R-hat {chains.r_hat:.4f}, chi2 per datum {chains.misfit:.2f}")
    print("                       MDN                            McMC")
    print("parameter  unit      median [5, 95 %]          gain   mean [5, 95 %]"
          "            gain   sd ratio  gain ratio  mean inside")  # fmt: skip
    met = []
    for (target, one), z in zip(posteriors.items(), chains.z.T, strict=True):
        low, high = one.interval(0.9)
        values = TARGETS[target].ppf(ndtr(z))
        mean, (left, right) = values.mean(), np.quantile(values, [0.05, 0.95])
        gain, reference = one.information_gain(), gain_of_samples(z)
        ratio, inside = one.std() / values.std(), low < mean < high
        digits = 2 if target == "magnitude" else 1
        print(
            f"{target:10} {UNITS[target]:8}"
            f"{one.quantile(0.5):7.{digits}f} [{low:6.{digits}f}, {high:6.{digits}f}]"
            f"{gain:8.2f}{mean:9.{digits}f} [{left:6.{digits}f}, {right:6.{digits}f}]"
            f"{reference:8.2f}{ratio:10.2f}{gain / reference:12.2f}"
            f"{'yes' if inside else 'NO':>13}"
        )
        kept = gain / reference if target in ("strike", "rake", "magnitude") else None
        met.append((inside, ratio if reference > 0.5 else None, kept))
    return met


def coverage(story, seed, n=1500):
    """Print how often the 90 % interval of earthquakes never seen holds the truth."""
    models = PRIOR.sample(n, seed)
    inputs = make_inputs(add_noise(forward(models), seed), story.guess)
    truth = normal_targets(models)
    print(
        f"\ncoverage of the 90 % interval on {n} simulations never seen, and the mean"
    )
    print("gain on them over the prior, nats per earthquake")
    shares = []
    for (target, committee), z in zip(story.committees.items(), truth.T, strict=True):
        low, high = committee.posterior(inputs).interval(0.9)
        shares.append(np.mean((low < z) & (z < high)))
        gain = committee.score(inputs, z) - stats.norm.logpdf(z).mean()
        print(f"{target:10} {shares[-1]:8.3f} {gain:8.2f}")
    return shares


def check(story, seed, quick=False):
    """Compare with McMC for the real event and for eight drawn from the prior."""
    n_events, n_steps = (1, 300) if quick else (8, 2500)
    models = PRIOR.sample(n_events, seed + 1000)
    data = np.vstack([OBSERVED, add_noise(forward(models), seed + 1000)])
    names = ["El Mayor-Cucapah", *(f"synthetic {i + 1}" for i in range(n_events))]
    print(f"\n{len(data)} events, {N_ENSEMBLES} ensembles of {N_WALKERS} walkers each")
    with ProcessPoolExecutor() as pool:
        seeds = range(10 * seed, 10 * seed + len(data))
        runs = pool.map(walk, data, seeds, [n_steps] * len(data))
        met = []
        for name, observed, chains in zip(names, data, runs, strict=True):
            met += compare(name, story.posteriors(observed), chains)
    shares = coverage(story, seed + 2000, 300 if quick else 1500)

    inside = [one for one, _, _ in met]
    ratios = [one for _, one, _ in met if one is not None]
    kept = [one for _, _, one in met if one is not None]
    fine = sum(0.7 <= one <= 1.5 for one in ratios)
    enough = sum(one >= 0.7 for one in kept)
    print(f"\nMcMC mean inside the MDN's 90 % interval: {sum(inside)} of {len(inside)}")
    print(f"sd ratio from 0.7 to 1.5 if McMC gains 0.5 nat: {fine} of {len(ratios)}")
    print(
        f"  median {np.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}"
    )
    print(f"70 % of McMC's gain in strike, rake, magnitude: {enough} of {len(kept)}")
    print(f"  median {np.median(kept):.2f}, least {min(kept):.2f}")
    print(f"coverage of the 90 % interval: {min(shares):.3f} to {max(shares):.3f}")
