"""Results as tables in Markdown, beside what is wanted and what others publish."""

from collections import defaultdict

import numpy as np

# Wanted; then published: MC-dropout (Gal & Ghahramani 2016), deep ensembles
# (Lakshminarayanan et al. 2017), evidential regression (Amini et al. 2020), NGBoost
# (Duan et al. 2020), the best of any kind.
UCI = {
    "boston": (2.30, 2.40, 2.41, 2.35, 2.43, 2.35),
    "concrete": (2.75, 2.93, 3.06, 3.01, 3.04, 2.75),
    "energy": (0.40, 1.21, 1.38, 1.39, 0.60, 0.37),
    "yacht": (0.30, 1.25, 1.18, 1.03, 0.20, 0.05),
    "wine": (0.89, 0.93, 0.94, 0.89, 0.91, 0.89),
}
EXACT = {
    ("distance", 5000): 0.02,
    ("distance", 50_000): 0.005,
    ("distance", 500_000): 0.001,
    ("linear", 1000): 0.25,
    ("linear", 10_000): 0.03,
    ("linear", 100_000): 0.005,
}
# Wanted; neural posterior estimation with flows (Lueckmann et al. 2021).
SBIBM = {
    ("gaussian_mixture", 10_000): (0.555, 0.615),
    ("two_moons", 10_000): (0.575, 0.606),
    ("gaussian_linear_uniform", 10_000): (0.545, 0.553),
    ("gaussian_mixture", 100_000): (0.53, 0.548),
    ("two_moons", 100_000): (0.54, 0.542),
}
SECONDS = {10_000: 20, 1_000_000: 600}  # wanted
MARS = (-10.7, -9.68)  # wanted; Agarwal et al. 2021


def table(heads, rows):
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def collect(rows, section):
    """Numbers of a section: (problem, size) -> name -> list over seeds."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind, name, size, _ = row["case"]
        if kind == section:
            problem = (name, 0) if section in ("uci", "mars") else (name, size)
            for key, value in {**row["found"], "seconds": row["seconds"]}.items():
                found[problem][key].append(value)
    return found


def mean(values, digits=3):
    return f"{np.mean(values):.{digits}f}" if values else "–"


def verdict(values, wanted):
    """Say whether the mean is as low as wanted."""
    return "yes" if np.mean(values) <= wanted else "no"


def exact(rows):
    lines = []
    for (name, size), found in sorted(collect(rows, "exact").items()):
        kl = found["KL at 0.7"] or found["KL"]
        wanted = EXACT[name, size]
        each = f"{np.mean(kl):.2g}"
        line = [name, f"{size:,}", len(kl), each, wanted, verdict(kl, wanted)]
        line += [mean(found["KL at 0.0"], 4), mean(found["coverage"])]
        lines.append([*line, mean(found["seconds"], 0)])
    heads = ["problem", "rows", "seeds", "KL", "wanted", "reached", "KL at d = 0"]
    return table([*heads, "coverage of 90 %", "s"], lines)


def uci(rows):
    heads = ["", "splits", "fmdn", "error", "wanted", "reached", "MC-dropout"]
    heads += ["deep ensembles", "evidential", "NGBoost", "best"]
    lines = []
    for (name, _), found in collect(rows, "uci").items():
        for key in ("loss", "loss with a floor"):
            if not found[key]:
                continue
            losses = found[key]
            label = name if key == "loss" else f"{name}, floor on the widths"
            error = np.std(losses) / np.sqrt(max(1, len(losses) - 1))
            wanted, *others = UCI[name]
            line = [label, len(losses), mean(losses), f"{error:.3f}", wanted]
            lines.append([*line, verdict(losses, wanted), *others])
    return table(heads, lines)


def mars(rows):
    losses = collect(rows, "mars")["mars", 0]["loss"]
    line = ["mars", len(losses), mean(losses), MARS[0], verdict(losses, MARS[0])]
    heads = ["", "seeds", "fmdn", "wanted", "reached", "published"]
    return table(heads, [[*line, MARS[1]]])


def sbibm(rows):
    heads = ["task", "simulations", "C2ST 1, 2, 3", "mean", "wanted", "reached"]
    lines = []
    for (name, size), found in collect(rows, "sbibm").items():
        each = [np.mean(found[f"C2ST {i}"]) for i in (1, 2, 3)]
        wanted, flows = SBIBM[name, size]
        line = [name, f"{size:,}", ", ".join(f"{one:.3f}" for one in each), mean(each)]
        line += [wanted, verdict(each, wanted), flows, mean(found["coverage"])]
        lines.append([*line, mean(found["seconds"], 0)])
    return table([*heads, "flows", "coverage of 90 %", "s"], lines)


def no_information(rows):
    heads = ["targets", "rows", "seeds", "gain", "wanted", "information gain", "wanted"]
    lines = []
    for (name, size), found in collect(rows, "robust").items():
        gain, information = found["gain over the prior"], found["information gain"]
        line = [name, f"{size:,}", len(gain), mean(gain), "± 0.02"]
        lines.append([*line, mean(information), "< 0.03"])
    return table(heads, lines)


def durations(rows):
    lines = []
    for (name, size), found in collect(rows, "time").items():
        wanted = SECONDS.get(size, "–")
        line = [name, f"{size:,}", mean(found["s"], 0), wanted, mean(found["KL"], 4)]
        lines.append(line)
    return table(["", "rows", "s", "wanted", "KL"], lines)


def page(rows):
    """All tables for which there are rows."""
    parts = []
    for title, section, write in (
        ("Exact in the limit", "exact", exact),
        ("UCI, standard splits: mean test loss in nats", "uci", uci),
        ("Mantle convection: mean loss of five parameters", "mars", mars),
        ("sbibm", "sbibm", sbibm),
        ("Nothing to learn: gain over the prior in nats", "robust", no_information),
        ("Time of `fit`, ten members", "time", durations),
    ):
        if collect(rows, section):
            parts.append(f"### {title}\n\n{write(rows)}\n")
    minutes = sum(row["seconds"] for row in rows) / 60
    parts.append(f"{len(rows)} rows took {minutes:.0f} minutes.\n")
    return "\n".join(parts)
