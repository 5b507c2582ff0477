"""Results as the tables of docs/speed.md."""

import math


def number(value, digits=3):
    """Write a number with so many significant digits, or a dash."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def table(heads, rows):
    """Write a Markdown table; the first column is text."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def core_names(times):
    return sorted({name.split(", ")[-1] for name in times})


# --- The sections ---------------------------------------------------------------------


def machine(results):
    about = results["machine"]
    lines = [f"{about['processor']}, {about['cores']} cores in use; {about['system']}."]
    if about["load"] is not None:
        lines.append(f"Load of the machine at the start: {about['load']:.1f}.")
    lines.append(", ".join(f"{k} {v}" for k, v in about["versions"].items()) + ".")
    rates = results.get("rates")
    if rates:
        level = int(rates["level"])
        name = f"x86-64-v{level}" if level else "any processor"
        lines.append(
            f"Kernels for {name}, alone on one core: products "
            f"{number(rates['product'])} and {number(rates['accumulate'])} GFLOP/s "
            f"(NumPy's BLAS {number(rates['blas'])}); ns per element: exp "
            f"{number(rates['exp'], 2)}, tanh {number(rates['tanh'], 2)}, "
            f"log {number(rates['log'], 2)}."
        )
    if results.get("machine scaling"):
        lines.append(
            "Two cores at once make "
            f"{number(results['machine scaling'])} times the products of one."
        )
    return "\n".join(lines)


def loss(results):
    rows = results["loss"]
    peers = [name for name in rows[0]["seconds"] if name[0].isupper()]
    parts = []
    for cores in core_names(rows[0]["seconds"]):
        here = [name for name in peers if name.endswith(cores)]
        heads = [cores, "`loss_gradient`", "in training"]
        heads += [name.split(",")[0] for name in here]
        if rows[0]["limit"]:
            heads += ["limit", "reached"]
        lines = []
        for row in rows:
            line = [row["shape"]]
            for name in ("fmdn", "training"):
                line.append(number(1e3 * row["seconds"][f"{name}, {cores}"]))
            for name in here:
                times, ratio = row["seconds"][name], row["ratio"][name]
                line.append(f"{number(1e3 * times)} ({number(ratio, 2)})")
            if row["limit"]:
                least = row["limit"] / int(cores[0])
                reached = least / row["seconds"][f"training, {cores}"]
                line += [number(1e3 * least), f"{100 * reached:.0f} %"]
            lines.append(line)
        parts.append(table(heads, lines))
    worst = max(max(row["agreement"].values()) for row in rows)
    note = f"Milliseconds for {rows[0]['rows']:,} rows"
    if peers:
        note += (
            "; in brackets how many times `loss_gradient`'s. All agree in loss and "
            f"gradient to {worst:.0e}"
        )
    return "\n\n".join([*parts, note + "."])


def training(results):
    found = results["training"]
    with_original = any(name.startswith("original") for name in found["seconds"])
    heads = ["", "fmdn"] + (["original", "ratio"] if with_original else [])
    lines = []
    for cores in core_names(found["seconds"]):
        line = [cores, number(1e3 * found["seconds"][f"fmdn, {cores}"])]
        if with_original:
            line.append(number(1e3 * found["seconds"][f"original, {cores}"]))
            line.append(number(found["ratio"][f"original, {cores}"]))
        lines.append(line)
    note = (
        f"Milliseconds for each member and iteration; {found['rows']:,} rows of 28 "
        "inputs, 30 hidden, 6 kernels, and 2,000 rows that monitor."
    )
    if not with_original:
        note += (
            " The original's `mdn_train` was not at hand; elsewhere, on two cores "
            "(gfortran -O3 -march=native, OpenBLAS), it took 59 to 65 ms on this shape "
            "with one thread or two. `--original DIR` measures it here."
        )
    return table(heads, lines) + "\n\n" + note


def scaling(results):
    found = results["scaling"]
    if not found:
        return "Only one core: nothing to compare."
    names = {"4": "four members", "1": "one member"}
    lines = [[names[key], number(value)] for key, value in found.items()]
    note = "Times as fast on two threads as on one; the parameters are the same bits."
    return table(["training of", "1 to 2 threads"], lines) + "\n\n" + note


def growth(results):
    lines = []
    for one in results["growth"]:
        beyond = one["beyond"]
        lines.append(
            [
                f"{one['n']:,}",
                number(1e3 * one["seconds"]),
                number(1e9 * one["seconds"] / one["n"]),
                number(one["rows"] / 1e6),
                number(beyond and beyond / 1e6),
            ]
        )
    heads = [
        "examples",
        "ms per evaluation",
        "ns per example",
        "rows, MB",
        "beyond, MB",
    ]
    note = (
        "Two members of 28 inputs, 30 hidden, 6 kernels on one thread; a tenth of the "
        "examples weighs them, and a tenth of the rest monitors each."
    )
    return table(heads, lines) + "\n\n" + note


def applying(results):
    found = results["applying"]
    cores = sorted(found["one"])
    fortran = found["one in Fortran"]
    lines = [
        ["one observation, from Python, µs", *(1e6 * found["one"][c] for c in cores)],
        ["one observation, from Fortran, µs", fortran and 1e6 * fortran],
        [
            f"{found['observations']:,} observations, per second",
            *(1 / found["many"][c] for c in cores),
        ],
        ["the limit of the forward pass, per second"],
        ["pdf, ns per kernel and point", *(1e9 * found["pdf"][c] for c in cores)],
        ["cdf, ns per kernel and point", *(1e9 * found["cdf"][c] for c in cores)],
        ["quantile, ns per kernel", *(1e9 * found["quantile"][c] for c in cores)],
    ]
    if found["limit"]:
        lines[3] += [int(c[0]) / found["limit"] for c in cores]
    for line in lines:
        line += [None] * (1 + len(cores) - len(line))
    lines = [[line[0], *map(number, line[1:])] for line in lines]
    note = (
        f"Ten members with {found['kernels']} kernels in all, 100 inputs, one target. "
        f"The densities are those of {found['posteriors']:,} observations, at 100 "
        "points each; quantiles at five probabilities."
    )
    return table(["", *cores], lines) + "\n\n" + note


def start_up(results):
    found = results["start-up"]
    lines = [[f"{name}", number(1e3 * value)] for name, value in found.items()]
    return table(["beyond `import numpy`", "ms"], lines)


# --- Goals ----------------------------------------------------------------------------


def peer_ratios(row, peer, cores, ours, key):
    """Times as fast as a peer's plain form, and as the fastest of forms and threads."""
    ours = row["seconds"].get(f"{ours}, {cores}")
    ratios = {
        name: row[key][name] if name.endswith(cores) else times / ours
        for name, times in row["seconds"].items()
        if ours and name.startswith(peer) and name.split(", ")[1] <= cores
    }
    plain = [value for name, value in ratios.items() if "plain" in name]
    return min(plain, default=None), min(ratios.values(), default=None)


def goals(results):
    """Compare what was to be reached, most of it on two cores, with what was."""
    lines = []

    def add(what, goal, value, most=False):
        if value is not None:
            sign, met = ("≤", value <= goal) if most else ("≥", value >= goal)
            reached = number(value)
            lines.append([what, f"{sign} {goal}", reached, "yes" if met else "no"])

    if "loss" in results:
        for cores, least in (("1 core", 2.5), ("2 cores", 3)):
            for peer, goal in (("JAX", least), ("PyTorch", 7)):
                for ours, what, key in (
                    ("training", "loss in a training", "ratio in training"),
                    ("fmdn", "`loss_gradient`", "ratio"),
                ):
                    row = results["loss"][0]
                    plain, best = peer_ratios(row, peer, cores, ours, key)
                    add(f"{what}, {cores}: {peer} plain, times", goal, plain)
                    add(f"{what}, {cores}: {peer} at its best, times", goal, best)
    if "training" in results:
        for cores, goal in (("1 core", 12), ("2 cores", 22)):
            value = results["training"]["ratio"].get(f"original, {cores}")
            add(f"training, {cores}: times as fast as the original", goal, value)
    if "scaling" in results:
        for key, members in (("4", "four members"), ("1", "one member")):
            value = results["scaling"].get(key)
            add(f"training of {members}: 1 to 2 threads", 1.85, value)
    if "applying" in results:
        found = results["applying"]
        add("one observation from Python, µs", 60, 1e6 * found["one"]["1 core"], True)
        fortran = found["one in Fortran"]
        add("one observation from Fortran, µs", 20, fortran and 1e6 * fortran, True)
        if found["limit"]:
            value = found["limit"] / found["many"]["1 core"]
            add("many observations: share of the forward limit", 0.5, value)
        add("pdf, ns per kernel and point", 2, 1e9 * found["pdf"]["1 core"], True)
    if "start-up" in results:
        value = 1e3 * results["start-up"]["import fmdn"]
        add("`import fmdn` beyond `import numpy`, ms", 60, value, True)
    return table(["", "goal", "here", "met"], lines)


SECTIONS = {
    "loss": ("One loss and gradient", loss),
    "training": ("Training", training),
    "scaling": ("Threads", scaling),
    "growth": ("Growth", growth),
    "applying": ("Applying", applying),
    "start-up": ("Starting up", start_up),
}


def page(results):
    """Write everything that was measured as Markdown."""
    parts = [machine(results), goals(results)]
    for name, (title, write) in SECTIONS.items():
        if name in results:
            parts += [f"### {title}", write(results)]
    return "\n\n".join(parts) + "\n"
