"""A report on a model and a test set: one page of HTML with tables and figures.

It needs nothing else, neither scripts nor a network, and can be read on a telephone.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .cloud import NoveltyWarning, novelty
from .diagnostics import Calibration, Calibrations, calibration
from .tables import Table

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; font-weight: 600; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; }
.pair img { flex: 1 1 20rem; min-width: 0; max-width: 32rem; margin: 0; }
.table { overflow-x: auto; }
.table img { max-width: none; width: 100%; min-width: 44rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #888; font-weight: 600; }
.text { text-align: left; }
"""


def write_report(model, inputs, targets, path, prior=None):
    """Write a report on a model's posteriors of a test set.

    Parameters
    ----------
    model : Committee or Inversion
    inputs : array_like, shape (n, n_inputs)
        That nothing was trained on, with noise.
    targets : array_like, shape (n,) or (n, n_targets), or mapping
        Their truths: columns in the order of the model's targets, or {name: (n,)}.
    path : path
        Of the HTML file; written whole or not at all.
    prior : distribution or Prior, optional
        Of the targets; by default the one that the model knows.

    Returns
    -------
    Calibrations
        What the report is about.
    """
    if prior is None:
        prior = getattr(model, "prior", None)  # of an inversion
    posterior = model.posterior(inputs)
    if isinstance(posterior, Mapping):
        if not isinstance(targets, Mapping) and not hasattr(targets, "models"):
            names, columns = list(posterior.marginals()), np.asarray(targets)
            if columns.shape != (len(inputs), len(names)):
                raise ValueError(
                    f"targets must have shape ({len(inputs)}, {len(names)}), columns "
                    f"{', '.join(names)}; got {columns.shape}"
                )
            targets = dict(zip(names, columns.T, strict=True))
        checks = calibration(posterior, targets, prior)
    else:
        if isinstance(targets, Mapping):
            targets = np.column_stack([targets[k] for k in posterior.target_names])
        check = calibration(posterior, targets, prior)
        checks = Calibrations({", ".join(posterior.target_names): check})
    parts = [
        "<h1>Are these posteriors right?</h1>",
        f"<p>{escape(_describe(model))}; {len(inputs)} test rows.</p>",
        _table(checks.summary()),
        "<p>Bias: by how many posterior standard deviations the truths lie above their "
        "posteriors; 0 is right. Spread: how many times as wide as the posteriors the "
        "truths scatter; 1 is right. 50 %, 90 %: share of truths in the densest region "
        "of that probability. Excess: coverage minus probability, mean over all "
        "probabilities; positive is cautious, negative overconfident. p: probability "
        "of deviations as large as these if all is right. Information gains are "
        f"KL(posterior || prior), in nats.{escape(_priors(checks))}</p>",
        _likeness(model, inputs),
    ]
    for name, check in checks.items():
        parts += _section(name, check, getattr(model, "committees_", {None: model}))
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>fmdn report</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )
    path = Path(path)
    draft = path.with_name(path.name + ".part")
    draft.write_text(page, encoding="utf-8")
    os.replace(draft, path)
    return checks


def _section(name: str, check: Calibration, committees: Mapping) -> list[str]:
    """Tables and figures of one posterior."""
    from . import plots_training, plots_truth

    parts = [f"<h2>{escape(name)}</h2>", _table(check.summary())]
    sheet = _figure(check.plot(), f"calibration of {name}")
    parts.append(f'<div class="table">{sheet}</div>')
    names = check.posterior.target_names
    pictures = []
    if len(names) == 1:
        ax = plots_truth.plot_truth(check)
        pictures.append(_figure(ax.figure, f"posterior modes of {name} against truth"))
        ax = plots_truth.plot_columns(
            check.posterior,
            check.truths[:, 0],
            label=f"true {name}",
            truth=check.truths[:, 0],
            prior=check.distribution,
        )
        pictures.append(_figure(ax.figure, f"posteriors of {name} against truth"))
        if check.prior is not None:
            ax = plots_truth.plot_near_truth(check)
            pictures.append(_figure(ax.figure, f"probability near the true {name}"))
    for committee in committees.values():
        history = getattr(committee, "history_", [])
        if committee.target_names_ == names and "monitor_loss" in (history or [{}])[0]:
            ax = plots_training.plot_history(committee)
            pictures.append(_figure(ax.figure, f"training of {name}"))
    parts.append(f'<div class="pair">{"".join(pictures)}</div>')
    by = "gain" if len(names) == 1 and check.prior is not None else names[0]
    if len(check) >= 300:
        what = "information gain" if by == "gain" else f"posterior mean of {by}"
        parts.append(f"<h3>By {escape(what)}</h3>")
        parts.append(_table(check.by(by).summary()))
    return parts


def _priors(checks: Calibrations) -> str:
    """Which priors the gains are over."""
    priors = {
        name: check._prior_of(name)
        for check in checks.values()
        for name in check.posterior.target_names
    }
    shown = [f"{name}: {one!r}" for name, one in priors.items() if one is not None]
    return f" Priors are {'; '.join(shown)}." * bool(shown)


def _describe(model: Any) -> str:
    committees = list(getattr(model, "committees_", {None: model}).values())
    members = sorted({len(one.weights_) for one in committees})
    n_inputs = committees[0].n_features_in_
    return (
        f"{len(committees)} committee{'s' * (len(committees) > 1)} of "
        f"{' or '.join(map(str, members))} networks with {n_inputs} inputs"
    )


def _likeness(model: Any, inputs: Any) -> str:
    """Whether the test rows are like the training set."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoveltyWarning)
            found = novelty(model, inputs)
    except ValueError:
        return ""
    return (
        f"<p>{int(found.unlike.sum())} of {len(found)} test rows are unlike the "
        f"training set; the median row lies at {np.median(found.distance):.0f} % of "
        "its Mahalanobis distances.</p>"
    )


def _table(table: Table) -> str:
    heading, *lines = table.cells()
    classes = [' class="text"' * (name in table.texts) for name in heading]

    def row(kind: str, cells: Any) -> str:
        pairs = zip(cells, classes, strict=True)
        return "".join(f"<{kind}{c}>{escape(x)}</{kind}>" for x, c in pairs)

    body = "".join(f"<tr>{row('td', cells)}</tr>\n" for cells in lines)
    head = f"<tr>{row('th', heading)}</tr>\n"
    return f'<div class="table"><table>{head}{body}</table></div>'


def _figure(figure: Any, title: str) -> str:
    from matplotlib import pyplot as plt

    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    plt.close(figure)
    text = base64.b64encode(image.getvalue()).decode()
    return f'<img alt="{escape(title)}" src="data:image/png;base64,{text}">'
