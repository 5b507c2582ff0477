"""The rules of the house that no compiler checks; CONTRIBUTING.md explains them."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import fmdn
import pytest

ROOT = Path(__file__).parents[2]
FORTRAN = sorted((ROOT / "fortran").glob("*.[fF]90"))
PYTHON = sorted((ROOT / "python" / "fmdn").glob("*.py"))
MESON = (ROOT / "meson.build").read_text()
ORDER = re.findall(r"'fortran/(\w+)\.[fF]90'", MESON.partition("sources = files(")[2])
LONGEST = 400  # lines; a file is one idea
NOT_OURS = {"build", "dist", "__pycache__"}


def name(path):
    return path.name


def our_files():
    """Every file of the project that is text."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if hidden or NOT_OURS & set(parts) or not path.is_file():
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# --- Fortran --------------------------------------------------------------------------


def statements(text):
    """Line number and statement: continued lines joined, no comments, empty strings."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        code = re.sub(
            r"""'[^']*'|"[^"]*"|!.*""",
            lambda found: "" if found[0][0] == "!" else "''",
            line,
        ).strip()
        start, held = (start, held) if held else (number, "")
        held += code.removeprefix("&").lower()
        if held.endswith("&"):
            held = held[:-1]
            continue
        for statement in held.split(";"):
            if statement.strip():
                yield start, statement.strip()
        held = ""


FORBIDDEN = {
    "stops": r"(^|\) *)(error +)?stop\b(?! *[=%])",
    "prints": r"(^|\) *)print *(\*|''|\w)|\bwrite *\( *(\*|6\b|output_unit|error_unit)",
    "keeps state": r"(^|, *)save\b|^common\b(?! *[=%])|^data +\w+[^=]*/",
    "jumps": r"(^|\) *)go *to\b",
}
DECLARATION = r"^(integer|real|complex|logical|character|(type|class|procedure) *\()"
TYPE = r"type *(,|::)|type +\w+$|(abstract +)?interface\b"


def violations(text):
    """What a library file may not do: line number and what."""
    at_top = bool(re.search(r"^module \w+$", text, re.MULTILINE))
    in_type = False
    for number, statement in statements(text):
        for what, pattern in FORBIDDEN.items():
            if re.search(pattern, statement):
                yield number, what
        if re.match(r"end *(type|interface)\b", statement):
            in_type = False
        elif in_type or re.match(TYPE, statement):
            in_type = True
        elif statement == "contains":
            at_top = False
        elif re.match(DECLARATION, statement) and "::" in statement:
            attributes, _, entities = statement.partition("::")
            routine = attributes.startswith("procedure") and "pointer" not in attributes
            if "parameter" in attributes or routine:
                continue
            if at_top:
                yield number, "has a module variable"
            elif "=" in re.sub(r"\(.*\)", "", entities):
                yield number, "keeps state by an initial value"


@pytest.mark.parametrize("path", FORTRAN, ids=name)
def test_library_neither_stops_nor_prints_nor_keeps_state(path):
    assert list(violations(path.read_text())) == []


@pytest.mark.parametrize(
    "line, what",
    [
        ("if (n < 0) error stop 'negative'", "stops"),
        ("print *, n", "prints"),
        ('write (*, "(i0)") n', "prints"),
        ("integer, save :: n", "keeps state"),
        ("go to 10", "jumps"),
        ("integer :: n = 0", "keeps state by an initial value"),
    ],
)
def test_rules_are_noticed(line, what):
    text = f"module m\ncontains\nsubroutine s()\n{line}\nend subroutine s"
    assert list(violations(text)) == [(4, what)]
    innocent = f"! {line}\nx = '{line.replace(chr(39), '')}' ! {line}\n"
    assert list(violations(innocent)) == []


def test_module_variable_is_noticed():
    text = "module m\ntype :: t\ninteger :: a = 1\nend type t\ninteger :: b\nend module"
    assert list(violations(text)) == [(5, "has a module variable")]


def test_use_points_up_only():
    """A file holds the module of its name, and uses modules of files above it."""
    modules = [file if file.startswith("fmdn") else f"fmdn_{file}" for file in ORDER]
    for path in FORTRAN:
        if path.stem.startswith("kernels"):  # external procedures
            continue
        assert path.stem in ORDER, f"{path.name} is not in meson.build"
        at = ORDER.index(path.stem)
        text = path.read_text()
        expected = [] if path.stem == "fmdn77" else [modules[at]]  # for FORTRAN 77
        assert re.findall(r"^module (\w+)$", text, re.MULTILINE) == expected
        for number, statement in statements(text):
            used = re.match(r"use +(fmdn\w*)", statement)
            above = not used or used[1] in modules[:at]
            assert above, f"{path.name}:{number}: {statement}"


def test_every_fortran_test_is_run():
    listed = (ROOT / "tests" / "fortran" / "meson.build").read_text()
    listed = re.findall(r"^ *'(\w+)',$", listed, re.MULTILINE)
    found = (ROOT / "tests" / "fortran").glob("test_*.f90")
    assert sorted(listed) == sorted(path.stem.removeprefix("test_") for path in found)


# --- Python ---------------------------------------------------------------------------


def imports(path):
    """What a module imports when it runs, and whether at its top level."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            origin = "fmdn" + "." * bool(node.module) if node.level else ""
            origin += node.module or ""
            if origin == "fmdn":
                for alias in node.names:
                    yield f"fmdn.{alias.name}", id(node) in top
            else:
                yield origin, id(node) in top


def test_python_imports_point_one_way():
    edges = {
        path.stem: {
            target.split(".")[1]
            for target, _ in imports(path)
            if target.startswith("fmdn.") and target != "fmdn._core"
        }
        for path in PYTHON
        if path.stem != "__init__"
    }
    while edges:
        free = [module for module, targets in edges.items() if not targets & set(edges)]
        assert free, f"these import each other: {edges}"
        for module in free:
            del edges[module]


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_package_imports_only_what_it_may(path):
    for target, at_top in imports(path):
        root = target.split(".")[0]
        if target.startswith("fmdn._core"):
            assert path.stem.startswith("_boundary")
        elif at_top:
            assert root in sys.stdlib_module_names | {"fmdn", "numpy", "scipy"}, target


# --- The whole ------------------------------------------------------------------------


def test_one_version():
    version = re.search(r"^ *version: '([^']+)'", MESON, re.MULTILINE)[1]
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == version
    assert importlib.metadata.version("fmdn") == fmdn.__version__ == version
    project = (ROOT / "pyproject.toml").read_text()
    assert not re.search(r"^version *=", project, re.MULTILINE)


def test_only_numpy_and_scipy_at_run_time():
    needs = importlib.metadata.requires("fmdn")
    names = [re.match(r"\w+", need)[0] for need in needs if "extra ==" not in need]
    assert sorted(names) == ["numpy", "scipy"]


def test_files_are_one_idea():
    long = {
        str(path.relative_to(ROOT)): text.count("\n")
        for path, text in our_files()
        if path.suffix in {".f90", ".F90", ".f", ".c", ".h", ".py"}
        and text.count("\n") > LONGEST
    }
    assert not long


def test_nothing_of_one_machine_and_no_promises():
    place = re.compile(r"(?:^|[^\w.])/(?:work|root|tmp|farm|home|Users)/", re.MULTILINE)
    promise = re.compile(r"\b(?:TO[D]O|FIXM[E])\b")
    for path, text in our_files():
        found = place.search(text) or promise.search(text)
        assert not found, f"{path.relative_to(ROOT)}: {found[0]!r}"
