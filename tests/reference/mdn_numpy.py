"""Network, mixture, their loss and its gradient: slow and obvious, example by example.

Written from the formulas (docs/theory.md), to compare the core with. Numbers are
standardised unless a name says `physical`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOG_SIGMA_MIN, LOG_SIGMA_MAX = np.log(1e-4), np.log(1e3)
LINEAR_RANGE = 10
ISOTROPIC, DIAGONAL, FULL = 1, 2, 3


# --- What a layout says ------------------------------------------------------------


@dataclass
class Member:
    """One network: its shape and its parameters."""

    n_inputs: int
    n_targets: int
    covariance: int
    n_kernels: int
    linear_path: bool
    hidden: list[int]
    parameters: np.ndarray

    @property
    def outputs_per_kernel(self) -> int:
        """A logit, the mean, and what the covariance takes."""
        c = self.n_targets
        covariance = {ISOTROPIC: 1, DIAGONAL: c, FULL: c * (c + 1) // 2}
        return 1 + c + covariance[self.covariance]

    def layers(self, flat: np.ndarray):
        """Views of a flat vector: [(w, b), ...], and the linear path or None."""
        n_outputs = self.n_kernels * self.outputs_per_kernel
        widths = [self.n_inputs, *self.hidden, n_outputs]
        layers, at = [], 0
        for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
            w = flat[at : at + n_out * n_in].reshape(n_in, n_out).T  # by columns
            at += n_out * n_in
            layers.append((w, flat[at : at + n_out]))
            at += n_out
        path = None
        if self.linear_path:
            path = flat[at : at + n_outputs * self.n_inputs].reshape(-1, n_outputs).T
            at += n_outputs * self.n_inputs
        assert at == len(flat)
        return layers, path


@dataclass
class Committee:
    """Members, their weights, and the scales of inputs and targets."""

    input_centre: np.ndarray
    input_scale: np.ndarray
    target_centre: np.ndarray
    target_scale: np.ndarray
    weights: np.ndarray
    members: list[Member]


def read(layout: np.ndarray, parameters: np.ndarray) -> Committee:
    """Take a layout of tagged blocks apart."""
    form, n_inputs, n_targets, n_members, n_blocks, n_parameters = layout[:6]
    assert form == 1 and n_parameters == len(parameters)
    blocks: dict[str, list] = {}
    at = 6
    for _ in range(n_blocks):
        tag = layout[at : at + 2].astype("<i8").tobytes().decode("ascii").rstrip()
        n_integers, n_reals, offset = layout[at + 4 : at + 7]
        integers = layout[at + 7 : at + 7 + n_integers]
        reals = parameters[offset : offset + n_reals]
        blocks.setdefault(tag, []).append((integers, reals))
        at += 7 + n_integers
    assert at == len(layout)
    input_scale = blocks["input scale"][0][1]
    target_scale = blocks["target scale"][0][1]
    members = []
    for (covariance, n_kernels, path, n_layers, *hidden), reals in blocks["network"]:
        assert len(hidden) == n_layers
        members.append(
            Member(n_inputs, n_targets, covariance, n_kernels, path == 1, hidden, reals)
        )
    assert len(members) == n_members
    return Committee(
        *input_scale.reshape(2, n_inputs),
        *target_scale.reshape(2, n_targets),
        blocks["member weights"][0][1],
        members,
    )


# --- Network and mixture -------------------------------------------------------------


def forward(member: Member, x: np.ndarray):
    """Activations of every layer, the inputs first, the outputs last."""
    layers, path = member.layers(member.parameters)
    activations = [x]
    for w, b in layers[:-1]:
        activations.append(np.tanh(w @ activations[-1] + b))
    w, b = layers[-1]
    activations.append(w @ activations[-1] + b)
    if path is not None:
        activations[-1] = activations[-1] + path @ bounded(x)
    return activations


def bounded(x: np.ndarray) -> np.ndarray:
    """What the linear path sees of the inputs."""
    return np.clip(x, -LINEAR_RANGE, LINEAR_RANGE)


@dataclass
class Kernel:
    """One kernel: logit, mean, logarithms s of its sds, U of 1/covariance = U'U."""

    logit: float
    mean: np.ndarray
    s: np.ndarray
    u: np.ndarray


def kernels(member: Member, outputs: np.ndarray) -> list[Kernel]:
    """Read a network's outputs as kernels."""
    c = member.n_targets
    found = []
    for row in outputs.reshape(member.n_kernels, member.outputs_per_kernel):
        logit, mean, rest = row[0], row[1 : 1 + c], row[1 + c :]
        u = np.zeros((c, c))
        if member.covariance == FULL:
            u.T[np.tril_indices(c)] = rest  # by columns, the upper triangle
            s = np.diagonal(u).copy()
        else:
            s = np.broadcast_to(rest, c).copy()  # isotropic: one for all
        s_inside = np.clip(s, LOG_SIGMA_MIN, LOG_SIGMA_MAX)
        np.fill_diagonal(u, np.exp(-s_inside))
        found.append(Kernel(logit, mean, s, u))
    return found


def log_sum_exp(x: np.ndarray) -> float:
    """log(sum(exp(x))), safely."""
    return x.max() + np.log(np.sum(np.exp(x - x.max())))


def log_normal(kernel: Kernel, t: np.ndarray) -> float:
    """Logarithm of a kernel's density."""
    z = kernel.u @ (t - kernel.mean)
    log_determinant = np.sum(np.log(np.diagonal(kernel.u)))
    return log_determinant - 0.5 * z @ z - 0.5 * len(t) * np.log(2 * np.pi)


def example_loss(member: Member, x: np.ndarray, t: np.ndarray) -> float:
    """Minus the logarithm of the mixture's density at the target."""
    mixture = kernels(member, forward(member, x)[-1])
    logits = np.array([k.logit for k in mixture])
    log_terms = logits - log_sum_exp(logits) + [log_normal(k, t) for k in mixture]
    return -log_sum_exp(log_terms)


# --- Gradient ------------------------------------------------------------------------


def output_gradient(member: Member, outputs: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Derivatives of an example's loss with respect to the network's outputs."""
    c = member.n_targets
    mixture = kernels(member, outputs)
    logits = np.array([k.logit for k in mixture])
    log_weights = logits - log_sum_exp(logits)
    log_terms = log_weights + [log_normal(k, t) for k in mixture]
    alpha = np.exp(log_weights)
    gamma = np.exp(log_terms - log_sum_exp(log_terms))
    rows = []
    for k, a, g in zip(mixture, alpha, gamma, strict=True):
        r = t - k.mean
        z = k.u @ r
        d_mean = -g * (k.u.T @ z)
        # U(i,i) = exp(-s_i); where s is clamped the loss does not depend on it.
        inside = (k.s > LOG_SIGMA_MIN) & (k.s < LOG_SIGMA_MAX)
        d_s = np.where(inside, g * (1 - z * r * np.diagonal(k.u)), 0)
        if member.covariance == ISOTROPIC:
            rest = [d_s.sum()]
        elif member.covariance == DIAGONAL:
            rest = d_s
        else:
            d_u = g * np.outer(z, r)
            np.fill_diagonal(d_u, d_s)
            rest = d_u.T[np.tril_indices(c)]
        rows.append(np.concatenate([[a - g], d_mean, rest]))
    return np.concatenate(rows)


def example_gradient(member: Member, x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Derivatives with respect to the parameters: the chain rule."""
    activations = forward(member, x)
    layers, _ = member.layers(member.parameters)
    gradient = np.zeros(len(member.parameters))
    d_layers, d_path = member.layers(gradient)
    delta = output_gradient(member, activations[-1], t)
    if d_path is not None:
        d_path += np.outer(delta, bounded(x))
    for i in reversed(range(len(layers))):
        d_w, d_b = d_layers[i]
        d_w += np.outer(delta, activations[i])
        d_b += delta
        if i > 0:
            delta = (layers[i][0].T @ delta) * (1 - activations[i] ** 2)
    return gradient


def loss_gradient(committee: Committee, k: int, inputs, targets, weights):
    """Weighted mean loss of member k on physical rows, in standardised units."""
    member = committee.members[k]
    xs = (inputs - committee.input_centre) / committee.input_scale
    ts = (targets - committee.target_centre) / committee.target_scale
    total = sum(weights)
    loss = sum(
        w * example_loss(member, x, t) for w, x, t in zip(weights, xs, ts, strict=True)
    )
    gradient = sum(
        w * example_gradient(member, x, t)
        for w, x, t in zip(weights, xs, ts, strict=True)
    )
    return loss / total, gradient / total


# --- Committee -----------------------------------------------------------------------


def posterior(committee: Committee, physical_input: np.ndarray):
    """Weights, means and covariances of the committee's mixture, in physical units."""
    x = (physical_input - committee.input_centre) / committee.input_scale
    scale = committee.target_scale
    weights, means, covariances = [], [], []
    for omega, member in zip(committee.weights, committee.members, strict=True):
        mixture = kernels(member, forward(member, x)[-1])
        logits = np.array([k.logit for k in mixture])
        weights.extend(omega * np.exp(logits - log_sum_exp(logits)))
        means.extend(committee.target_centre + scale * k.mean for k in mixture)
        covariances.extend(
            np.outer(scale, scale) * np.linalg.inv(k.u.T @ k.u) for k in mixture
        )
    return np.array(weights), np.array(means), np.array(covariances)


def log_density(committee: Committee, physical_input, physical_target) -> float:
    """Logarithm of the committee's density, in physical units."""
    x = (physical_input - committee.input_centre) / committee.input_scale
    t = (physical_target - committee.target_centre) / committee.target_scale
    losses = np.array([example_loss(member, x, t) for member in committee.members])
    jacobian = np.sum(np.log(committee.target_scale))
    return log_sum_exp(np.log(committee.weights) - losses) - jacobian
