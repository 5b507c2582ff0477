"""The prior that a committee holds, and that its file holds.

A distribution that can be written down is kept as it is; of any other the quantiles of
the training targets are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .distributions import LogUniform, Normal, TruncatedNormal, Uniform
from .joint import Joint, MultivariateNormal
from .parameter import Distribution, Parameter
from .priors import Prior
from .tabulated import Tabulated

SIMPLE = {one.__name__: one for one in (Uniform, Normal, LogUniform, TruncatedNormal)}
TRAINING = "training targets"


class UnknownKind(ValueError):
    """A kind of distribution that this version does not know."""


def prior_of_targets(
    prior: Any,
    names: Sequence[str],
    targets: np.ndarray,
    weights: np.ndarray | None = None,
) -> Prior | None:
    """Give what is kept of the prior of targets.

    Parameters
    ----------
    prior : Prior, sequence of distributions or None
        As they were given, in the order of the targets.
    names : sequence of str
    targets : ndarray, shape (n, c)
        That were trained on.
    weights : ndarray, shape (n,), optional
        Of these, where rows differ in weight. That makes another prior of what was
        given: then there are tables of the weighted targets.
    """
    blocks = _blocks(prior, names)
    if weights is not None:
        blocks = {name: None for name in names}
    kept: dict[Any, Any] = {}
    for key, one in blocks.items():
        if one is not None and _can_be_written(one):
            kept[key] = one
            continue
        for name in key if isinstance(key, tuple) else (key,):
            column = targets[:, list(names).index(name)]
            if np.ptp(column) > 0:
                about = _about(prior, names, name)
                kept[name] = Tabulated.of_values(column, weights, of=TRAINING, **about)
    return Prior(kept) if kept else None


def _blocks(prior: Any, names: Sequence[str]) -> dict[Any, Any]:
    """Give the distribution of each target, joint ones under a tuple of names."""
    if prior is None:
        return {name: None for name in names}
    if isinstance(prior, Prior) and prior.names == tuple(names):
        return dict(prior._blocks)
    each = prior.values() if isinstance(prior, Mapping) else prior
    return dict(Prior(dict(zip(names, each, strict=True)))._blocks)


def _about(prior: Any, names: Sequence[str], name: str) -> dict[str, Any]:
    if prior is None:
        return {}
    each = list(prior.values() if isinstance(prior, Mapping) else prior)
    one = each[list(names).index(name)]
    what = ("unit", "period", "description")
    return {key: getattr(one, key) for key in what if hasattr(one, key)}


def _can_be_written(one: Distribution | Joint) -> bool:
    """Whether what the record says makes the same distribution again."""
    try:
        again = _made_of(one._record(), {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return again._record() == one._record()


# --- Files ----------------------------------------------------------------------------


def restored(records: Iterable[Mapping[str, Any]]) -> Prior | None:
    """Give the prior of which `Prior.describe` gave these records.

    None where one is of a kind that this version does not know.
    """
    blocks = {}
    for record in records:
        names = tuple(record["names"])
        about = {
            "units": record["units"],
            "periods": record["periods"],
            "descriptions": record["descriptions"],
        }
        if any(len(values) != len(names) for values in about.values()):
            raise ValueError("a prior needs a unit, period and description a name")
        if record["kind"] != "MultivariateNormal":
            about = {what[:-1]: values[0] for what, values in about.items()}
        try:
            one = _made_of(record, about)
        except UnknownKind:
            return None
        blocks[names if isinstance(one, Joint) else names[0]] = one
    return Prior(blocks) if blocks else None


def _made_of(record: Mapping[str, Any], about: dict[str, Any]) -> Distribution | Joint:
    kind, parameters = record["kind"], record["parameters"]
    if kind == "MultivariateNormal":
        return MultivariateNormal(**parameters, **about)
    if kind == "Tabulated":
        quantiles = [float(word) for word in parameters["quantiles"].split()]
        return Tabulated(**{**parameters, "quantiles": quantiles}, **about)
    if kind in SIMPLE:
        numbers = {name: float(value) for name, value in parameters.items()}
        return SIMPLE[kind](**numbers, **about)
    from scipy import stats

    family = getattr(stats, kind.removeprefix("scipy.stats."), None)
    if not kind.startswith("scipy.stats.") or not isinstance(
        family, stats.rv_continuous
    ):
        raise UnknownKind(kind)
    args = [float(value) for value in parameters["args"]]
    kwds = {name: float(value) for name, value in parameters["kwds"].items()}
    return Parameter(family(*args, **kwds), **about)


def inside_tables(prior: Any, names: Sequence[str], points: np.ndarray) -> np.ndarray:
    """Points (n, c), those beyond the ends of a table moved there."""
    points = points.copy()
    for j, name in enumerate(names):
        one = prior.get(name) if isinstance(prior, Mapping) else prior
        if isinstance(one, Tabulated):
            points[:, j] = one.inside(points[:, j])
    return points


# --- Several committees ---------------------------------------------------------------


def together(prior: Prior | None, others: Iterable[Prior | None]) -> Prior | None:
    """Give a prior, and from others the names that it lacks."""
    blocks = {} if prior is None else dict(prior._blocks)
    known = set() if prior is None else set(prior)
    for other in filter(None, others):
        for key, one in other._blocks.items():
            names = key if isinstance(key, tuple) else (key,)
            if known.isdisjoint(names):
                blocks[key] = one
            else:
                blocks.update({n: other[n] for n in names if n not in known})
            known.update(names)
    return Prior(blocks) if blocks else None


def part_of(prior: Prior | None, names: Sequence[str]) -> Prior | None:
    """Give the prior of these names alone, in their order; None where one has none."""
    if prior is None or not all(name in prior for name in names):
        return None
    blocks, left = {}, list(names)
    while left:
        joint = [
            key
            for key in prior._blocks
            if isinstance(key, tuple) and key == tuple(left[: len(key)])
        ]
        key = joint[0] if joint else left[0]
        blocks[key] = prior[key]
        del left[: len(key) if joint else 1]
    return Prior(blocks)
