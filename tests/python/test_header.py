"""fmdn.h and the Fortran that it declares cannot disagree."""

import re
from pathlib import Path

FORTRAN = Path(__file__).parents[2] / "fortran"
HEADERS = sorted((FORTRAN / "include").glob("*.h"))
HEADER = "".join(path.read_text() for path in HEADERS)
TYPES = {
    "integer(c_int)": "int",
    "integer(c_int64_t)": "int64_t",
    "real(c_double)": "double",
    "character(kind=c_char)": "char",
}


def without_continuations(path):
    text = re.sub(r" *!.*", "", path.read_text())
    return re.sub(r"&\s*\n\s*&?", "", text)


def declared_in_fortran():
    """Every bind(C) procedure of the boundary, as C would declare it."""
    declarations = {}
    for path in sorted(FORTRAN.glob("fmdn_c*.f90")):
        for name, arguments, body in re.findall(
            r"subroutine (\w+)\(([^)]*)\) *bind\(C\)\n(.*?)end subroutine",
            without_continuations(path),
            re.DOTALL,
        ):
            kinds = {}
            for kind, attributes, entities in re.findall(
                r"^ *(\w+\([\w=]+\))(.*?) :: (.*)$", body, re.MULTILINE
            ):
                if "value" in attributes:
                    form = TYPES.get(kind, kind) + " "
                elif "intent(in)" in attributes:
                    form = f"const {TYPES.get(kind, kind)} *"
                elif "intent" in attributes:
                    form = f"{TYPES.get(kind, kind)} *"
                else:
                    continue
                for entity in re.findall(r"(\w+)(?:\([^)]*\))?(?:, |$)", entities):
                    kinds[entity] = form + entity
            given = [argument.strip() for argument in arguments.split(",")]
            declarations[name] = ", ".join(kinds[argument] for argument in given)
    return declarations


def declared_in_c():
    code = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    return {
        name: re.sub(r" *, *", ", ", " ".join(arguments.split()))
        for name, arguments in re.findall(r"^void (\w+)\((.*?)\);", code, re.M | re.S)
    }


def test_procedures():
    fortran, c = declared_in_fortran(), declared_in_c()
    assert len(fortran) > 20
    assert sorted(c) == sorted(fortran)
    for name in fortran:
        assert c[name] == fortran[name], name


def test_no_procedure_has_the_name_of_a_module():
    """Both are global names; gfortran says nothing, and calls the wrong thing."""
    texts = [path.read_text() for path in FORTRAN.glob("*.[fF]90")]
    modules = {
        name for text in texts for name in re.findall(r"^module (\w+)$", text, re.M)
    }
    assert len(modules) > 20 and not modules & set(declared_in_fortran())


def enumerated(name):
    body = re.search(rf"enum {name} \{{(.*?)\}}", HEADER, re.DOTALL)[1]
    return {key: int(number) for key, number in re.findall(r"(\w+) = (-?\d+)", body)}


def constants(file, pattern):
    text = (FORTRAN / file).read_text()
    return {
        f"fmdn_{name}": int(number)
        for name, number in re.findall(rf"\b{pattern} = (-?\d+)", text)
    }


def test_codes():
    assert enumerated("fmdn_status") == constants("status.f90", r"status_(\w+)")
    assert enumerated("fmdn_stopped") == constants("status.f90", r"(stopped_\w+)")
    kinds = constants("mixture.f90", r"(isotropic|diagonal|full)")
    assert len(kinds) == 3 and enumerated("fmdn_covariance") == kinds
    assert enumerated("fmdn_role") == constants("splits.f90", r"role_(\w+)")
    kinds = r"(free|truncated|log_truncated|half_line|probit|log_probit|periodic)"
    ranges = constants("targets.f90", kinds)
    assert len(ranges) == 7
    ranges = {key.replace("fmdn_", "fmdn_range_"): n for key, n in ranges.items()}
    assert enumerated("fmdn_range") == ranges
