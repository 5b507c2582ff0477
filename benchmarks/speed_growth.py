"""Time and memory of a training as the number of examples grows.

Every size runs in a process of its own: `python speed_growth.py N` trains on N examples
and prints what that took.
"""

import json
import subprocess
import sys
from pathlib import Path

import fmdn
import numpy as np
from workers import in_turns

N_INPUTS, N_MEMBERS = 28, 2


def memory(key):
    """Bytes of this process now (VmRSS) or at its peak (VmHWM); None but on Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return 1024 * int(status.partition(f"{key}:")[2].split()[0])


def committee(max_iter):
    return fmdn.Committee(
        N_MEMBERS, hidden=30, kernels=6, max_iter=max_iter, patience=None, n_threads=1
    )


def train(n):
    """Train two members on n examples: time of an iteration, memory beyond the rows."""
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((n, N_INPUTS)), rng.standard_normal(n)]
    for i in range(0, n, 10_000):
        rows[1][i : i + 10_000] *= 0.3
        rows[1][i : i + 10_000] += np.tanh(rows[0][i : i + 10_000, 0])
    few = [np.zeros((500, N_INPUTS)), np.linspace(-1, 1, 500)]
    committee(1).fit(*few)  # what is loaded and made once
    before = memory("VmRSS")
    fitted = committee(12).fit(*rows)
    peak = memory("VmHWM")
    seconds = np.concatenate([np.diff(one["seconds"]) for one in fitted.history_])
    evaluations = np.concatenate([np.diff(o["evaluations"]) for o in fitted.history_])
    return {
        "n": n,
        "seconds": float(np.median(seconds / evaluations)),
        "rows": sum(one.nbytes for one in rows),
        "beyond": None if peak is None else peak - before,
    }


def measure(options):
    """Measure from a thousand to a million examples."""
    sizes = [1_000, 3_000, 10_000] if options.quick else []
    sizes = sizes or [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]

    def run(n):
        command = [sys.executable, __file__, str(n)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    runs = {n: lambda n=n: run(n) for n in sizes}
    rounds = in_turns(runs, 1 if options.quick else 3)
    return [
        sorted(one, key=lambda r: r["seconds"])[len(one) // 2]
        for one in rounds.values()
    ]


def draw(results, path):
    """Draw time and memory against the number of examples."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n = np.array([one["n"] for one in results])
    seconds = np.array([one["seconds"] for one in results])
    rows = np.array([one["rows"] for one in results])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.loglog(n, 1e3 * seconds, "o-", color="#0b4f8a", label="measured")
    middle = len(n) // 2
    line = seconds[middle] * n / n[middle]
    left.loglog(n, 1e3 * line, "--", color="gray", label="proportional to the number")
    left.set(xlabel="examples", ylabel="ms per evaluation, one thread")
    left.legend(frameon=False)
    right.loglog(n, rows / 1e6, "--", color="gray", label="the rows themselves")
    if results[0]["beyond"] is not None:
        beyond = np.maximum([one["beyond"] for one in results], 1e4)
        right.loglog(n, beyond / 1e6, "o-", color="#d1495b", label="beyond them")
    right.set(xlabel="examples", ylabel="memory of two members' training (MB)")
    right.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    print(json.dumps(train(int(sys.argv[1]))))
