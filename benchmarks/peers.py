"""One loss and gradient by each program: ours, JAX, PyTorch, and a product by BLAS.

The peers have two forms. "plain" is how one writes it: rows first, all rows at once.
"tiles" is the fastest form that was found: rows last, in tiles that stay in the cache,
and with JAX, which needs it for a second core, tiles shared among its devices.
Both get rows that are standardised and laid out beforehand.

The loss is -log p of a mixture of Gaussians (docs/theory.md). A network's outputs are,
for each kernel, a logit, the means, and by columns the upper triangle of U, where U'U
is the inverse covariance and s stands in place of U(i,i) = exp(-s).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass
class Library:
    """Functions of arrays as JAX or PyTorch calls them."""

    affine: Callable  # b + x w
    exp: Callable
    tanh: Callable
    logsumexp: Callable
    split: Callable  # along an axis, into arrays without it


def mixture_loss(xp, outputs, targets, axis):
    """Losses from outputs[row], kernels along `axis`, and targets[dimension].

    Products of whole arrays: a stack of small matrices takes twice the time with either
    library.
    """
    c = len(targets)
    residuals = [target - outputs[1 + i] for i, target in enumerate(targets)]
    log_terms = outputs[0]
    for i in range(c):
        log_sd = outputs[c + (i + 1) * (i + 2) // 2]
        z = residuals[i] * xp.exp(-log_sd)
        for j in range(i + 1, c):
            z = z + outputs[1 + c + j * (j + 1) // 2 + i] * residuals[j]
        log_terms = log_terms - log_sd - 0.5 * z * z
    constant = 0.5 * c * math.log(2 * math.pi)
    total = xp.logsumexp(outputs[0], axis)  # of the logits, for their softmax
    return total - xp.logsumexp(log_terms, axis) + constant


def layers(problem):
    """Weights (n_in, n_out) and biases of each layer, one after the other."""
    widths, flat = problem["widths"], problem["parameters"]
    arrays, at = [], 0
    for n_in, n_out in zip(widths[:-1], widths[1:], strict=True):
        arrays.append(flat[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
        arrays.append(flat[at : at + n_out])
        at += n_out
    return arrays


def tiles(rows, tile, multiple):
    """Rows as (tile, column, row), padded with zeros to a multiple of tiles."""
    n, columns = rows.shape
    n_tiles = multiple * math.ceil(n / (tile * multiple))
    padded = np.zeros((n_tiles * tile, columns))
    padded[:n] = rows
    return padded.reshape(n_tiles, tile, columns).transpose(0, 2, 1).copy()


def rows_first(xp, parameters, inputs, targets, k):
    """Losses of inputs (m, n_inputs)."""
    x = inputs
    for i in range(0, len(parameters) - 2, 2):
        x = xp.tanh(xp.affine(parameters[i + 1], x, parameters[i]))
    x = xp.affine(parameters[-1], x, parameters[-2]).reshape(len(inputs), k, -1)
    targets = xp.split(targets[:, :, None], 1)
    return mixture_loss(xp, xp.split(x, 2), targets, 1)


def rows_last(xp, parameters, inputs, targets, k):
    """Losses of inputs (n_inputs, m)."""
    x = inputs
    for i in range(0, len(parameters) - 2, 2):
        x = xp.tanh(xp.affine(parameters[i + 1][:, None], parameters[i].T, x))
    x = xp.affine(parameters[-1][:, None], parameters[-2].T, x)
    x = x.reshape(k, -1, x.shape[1])
    return mixture_loss(xp, xp.split(x, 1), targets, 0)


class Program:
    """A problem loaded, a loss and gradient at a call."""

    def __init__(self, form, n_threads):
        self.form, self.n_threads = form, n_threads

    def load(self, problem):
        """Prepare rows and parameters; loss and gradient, to compare."""
        self.n, self.k = len(problem["inputs"]), int(problem["n_kernels"])
        self.prepare(problem)
        loss, gradient = self.evaluate()
        flat = np.concatenate([np.ravel(np.asarray(one)) for one in gradient])
        return {"loss": float(loss), "gradient": flat.tolist()}


class Fmdn(Program):
    """Ours, from rows in physical units to the gradient."""

    def prepare(self, problem):
        self.problem = problem

    def evaluate(self):
        import fmdn

        names = ("layout", "committee", "inputs", "targets")
        arguments = [self.problem[name] for name in names]
        return fmdn.loss_gradient(*arguments, n_threads=self.n_threads)


class Jax(Program):
    tile = 512

    def __init__(self, form, n_threads):
        super().__init__(form, n_threads)
        import jax

        jax.config.update("jax_enable_x64", True)
        xp = jax.numpy

        def affine(b, x, w):
            return b + x @ w

        def split(x, axis):
            return xp.unstack(x, axis=axis)

        self.library = Library(affine, xp.exp, xp.tanh, jax.nn.logsumexp, split)

    def prepare(self, problem):
        import jax

        parameters = [jax.numpy.array(one) for one in layers(problem)]
        prepare = self.in_tiles if self.form == "tiles" else self.plain
        function, rows = prepare(problem["inputs"], problem["targets"])
        compiled = jax.jit(function)
        self.run = lambda: jax.block_until_ready(compiled(parameters, *rows))

    def plain(self, inputs, targets):
        import jax

        def loss(parameters, x, t):
            return rows_first(self.library, parameters, x, t, self.k).mean()

        return jax.value_and_grad(loss), [jax.numpy.array(r) for r in (inputs, targets)]

    def in_tiles(self, inputs, targets):
        import jax
        from jax.sharding import NamedSharding, PartitionSpec

        def tile_loss(parameters, x, t, weights):
            losses = rows_last(self.library, parameters, x, t, self.k)
            return (weights[0] * losses).sum() / self.n

        def add_tile(parameters, total, rows):
            one = jax.value_and_grad(tile_loss)(parameters, *rows)
            return jax.tree.map(jax.numpy.add, total, one)

        def share(parameters, *rows):  # of one device
            total = jax.tree.map(jax.numpy.zeros_like, (rows[0][0, 0, 0], parameters))
            total, _ = jax.lax.scan(
                lambda sums, tile: (add_tile(parameters, sums, tile), None), total, rows
            )
            return jax.lax.psum(total, "rows")

        mesh = jax.make_mesh((len(jax.devices()),), ("rows",))
        everywhere, split = PartitionSpec(), PartitionSpec("rows")
        function = jax.shard_map(
            share,
            mesh=mesh,
            in_specs=(everywhere, split, split, split),
            out_specs=everywhere,
            check_vma=False,
        )
        rows = (inputs, targets, np.ones((self.n, 1)))
        rows = [tiles(one, self.tile, len(jax.devices())) for one in rows]
        return function, [jax.device_put(r, NamedSharding(mesh, split)) for r in rows]

    def evaluate(self):
        return self.run()


class Torch(Program):
    tile = 8192

    def __init__(self, form, n_threads):
        super().__init__(form, n_threads)
        import torch

        torch.set_num_threads(n_threads)
        self.tensor = torch.tensor
        self.library = Library(
            torch.addmm, torch.exp, torch.tanh, torch.logsumexp, torch.unbind
        )

    def prepare(self, problem):
        tensor = self.tensor
        self.parameters = [tensor(one, requires_grad=True) for one in layers(problem)]
        inputs, targets = tensor(problem["inputs"]), tensor(problem["targets"])
        self.losses, self.rows = rows_first, [(inputs, targets)]
        if self.form == "tiles":
            self.losses = rows_last
            split = zip(inputs.split(self.tile), targets.split(self.tile), strict=True)
            self.rows = [(x.T.contiguous(), t.T.contiguous()) for x, t in split]

    def evaluate(self):
        total = 0.0
        for one in self.parameters:
            one.grad = None
        for rows in self.rows:
            losses = self.losses(self.library, self.parameters, *rows, self.k)
            loss = losses.sum() / self.n
            loss.backward()
            total += loss.item()
        return total, [one.grad for one in self.parameters]


class Blas(Program):
    """NumPy's BLAS at a square product: what it makes of one core."""

    def __init__(self, form, n_threads):
        super().__init__(form, n_threads)
        self.a, self.b = np.random.default_rng(0).random((2, 512, 512))

    def evaluate(self):
        return self.a @ self.b


PROGRAMS = {"fmdn": Fmdn, "jax": Jax, "torch": Torch, "blas": Blas}
