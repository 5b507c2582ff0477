"""How good: test losses and posteriors with default settings, beside published ones.

Each row of the tables goes into a file as soon as it is known; the same command then
goes on there. The tables come from the file, in Markdown.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import accuracy_exact
import accuracy_figure
import accuracy_report
import accuracy_simulators
import accuracy_tables

SECTIONS = ("exact", "uci", "mars", "sbibm", "time", "robust")


def cases(quick):
    """Give (section, name, number of rows or of the split, seed) of every row."""
    if quick:
        rows = [("exact", "distance", 5000, 0), ("exact", "linear", 1000, 0)]
        rows += [("uci", name, 0, 0) for name in accuracy_tables.UCI]
        return [*rows, ("robust", "shuffled", 500, 0), ("time", "2 targets", 2000, 0)]
    rows = [("exact", "distance", n, seed) for n in (5000, 50_000) for seed in range(3)]
    rows += [("exact", "linear", n, seed) for n in (1000, 10_000) for seed in range(3)]
    rows += [("uci", name, k, k) for name in accuracy_tables.UCI for k in range(20)]
    rows += [("mars", "mars", 0, seed) for seed in range(3)]
    rows += [("sbibm", task, 10_000, 0) for task in accuracy_simulators.TASKS]
    rows += [("robust", "shuffled", 5000, seed) for seed in range(3)]
    rows += [("time", "2 targets", 10_000, 0)]
    rows += [("exact", "distance", 500_000, 0), ("exact", "linear", 100_000, 0)]
    rows += [("sbibm", task, 100_000, 0) for task in ("gaussian_mixture", "two_moons")]
    return [*rows, ("time", "1 target", 1_000_000, 0)]


def run(case, options):
    """Measure one row."""
    section, name, size, seed = case
    settings = {"n_threads": options.threads}
    if section == "exact":
        problem = getattr(accuracy_exact, f"run_{name}")
        return problem(size, seed, settings)
    if section == "uci":
        return accuracy_tables.run_uci(options.data, name, size, settings)
    if section == "mars":
        return accuracy_tables.run_mars(options.data, seed, settings)
    if section == "sbibm":
        return accuracy_simulators.run(options.data, name, size, seed, settings)
    if section == "robust":
        return accuracy_exact.run_shuffled(size, seed, settings)
    return accuracy_exact.run_time(size, seed, settings)


def read(path):
    """What the file holds, by case."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {tuple(row["case"]): row for row in map(json.loads, lines)}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="a few rows, in three minutes")
    add("--only", action="append", metavar="WORD",
        help=f"a section ({', '.join(SECTIONS)}) or a problem")  # fmt: skip
    add("--data", metavar="DIR", type=Path,
        help="folder with uci, mars and sbibm; else they are left out")  # fmt: skip
    add("--results", metavar="FILE", type=Path, default=Path("accuracy.jsonl"),
        help="rows that are known; new ones are added")  # fmt: skip
    add("--threads", type=int, help="by default all cores")
    add("--most", type=int, metavar="N", help="leave out problems with more rows")
    add("--figure", metavar="PNG", type=Path,
        help="draw the distance from exact posteriors against the rows")  # fmt: skip
    add("--read", action="store_true", help="measure nothing, print the tables")
    return parser.parse_args()


def main():
    options = parse()
    known = read(options.results)
    for case in [] if options.read else cases(options.quick):
        section, name, size, _ = case
        if case in known or (options.only and not {section, name} & {*options.only}):
            continue
        if options.data is None and section in ("uci", "mars", "sbibm"):
            continue
        if options.most and size > options.most:
            continue
        begin, processor = time.perf_counter(), time.process_time()
        found = {key: float(value) for key, value in run(case, options).items()}
        row = {"case": case, "found": found}
        row["seconds"] = time.perf_counter() - begin
        row["processor seconds"] = time.process_time() - processor
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        known[case] = row
        print(*case, found, f"{row['seconds']:.0f} s", file=sys.stderr)
    rows = list(known.values())
    print(accuracy_report.page(rows), end="")
    if options.figure:
        accuracy_figure.draw(rows, options.figure)


if __name__ == "__main__":
    main()
