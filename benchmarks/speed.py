"""How fast: one loss and gradient, training, applying, starting up.

Prints tables in Markdown, with the machine that they are of. Programs that are compared
take turns; a time is the median of its turns. JAX and PyTorch are measured where they
are installed, the original program where its folder is given.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import speed_applying
import speed_growth
import speed_loss
import speed_tables
import speed_training
from workers import available_cores

ROOT = Path(__file__).parents[1]
MARKS = "<!-- measured -->\n", "<!-- end -->\n"


def machine():
    """Processor, system, compiler and versions."""
    processor = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        processor = found[1] if found else processor
    except OSError:
        pass
    versions = {"Python": platform.python_version()}
    for package in ("fmdn", "numpy", "scipy", "jax", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    try:
        done = subprocess.run(
            ["gfortran", "-dumpfullversion"], capture_output=True, text=True, check=True
        )
        versions["gfortran"] = done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return {
        "processor": processor,
        "cores": min(2, len(available_cores())),
        "system": f"{platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def measure(options):
    """Measure the sections that are asked for."""
    rates = speed_loss.kernel_rates(options.build)
    if rates:
        rates["blas"] = speed_loss.blas_rate()
    results = {"machine": machine(), "rates": rates}
    results["machine scaling"] = speed_loss.machine_scaling(options.build)
    sections = {
        "loss": lambda: speed_loss.measure(options, rates),
        "training": lambda: speed_training.measure_training(options),
        "scaling": lambda: speed_training.measure_scaling(options),
        "growth": lambda: speed_growth.measure(options),
        "applying": lambda: speed_applying.measure(options, rates),
        "start-up": lambda: speed_applying.measure_start_up(options),
    }
    for name in options.only or sections:
        begin = time.perf_counter()
        results[name] = sections[name]()
        print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return results


def write_into(page, text):
    """Put text between the marks of a page."""
    whole = page.read_text(encoding="utf-8")
    head, first, rest = whole.partition(MARKS[0])
    _, last, tail = rest.partition(MARKS[1])
    if not first or not last:
        raise ValueError(f"{page} does not have the marks {MARKS}")
    page.write_text(f"{head}{first}\n{text}\n{last}{tail}", encoding="utf-8")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="small numbers, to see that it runs")
    add("--no-peers", dest="peers", action="store_false", help="only fmdn")
    add("--only", action="append", choices=list(speed_tables.SECTIONS))
    add("--original", metavar="DIR", type=speed_training.original_folder,
        help="folder with the original program's mdn_train")  # fmt: skip
    add("--build", metavar="DIR", type=Path, default=ROOT / "build" / "release",
        help="Meson's folder, with speed_kernels and speed_posterior")  # fmt: skip
    add("--json", metavar="FILE", type=Path, help="write all results")
    add("--read", metavar="FILE", type=Path, help="read results, measure nothing")
    add("--figure", metavar="FILE", type=Path, help="draw how time and memory grow")
    add("--page", metavar="FILE", type=Path, help="put the tables into a page")
    return parser.parse_args(arguments)


def main():
    options = parse()
    if options.read:
        results = json.loads(options.read.read_text(encoding="utf-8"))
    else:
        results = measure(options)
    if options.json:
        text = json.dumps(results, indent=1, allow_nan=False) + "\n"
        options.json.write_text(text, encoding="utf-8")
    if options.figure and "growth" in results:
        speed_growth.draw(results["growth"], options.figure)
    text = speed_tables.page(results)
    if options.page:
        write_into(options.page, text)
    print(text, end="")


if __name__ == "__main__":
    main()
