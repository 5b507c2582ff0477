"""Foreign programs find the installed library: those that docs/fortran.md shows.

python run.py BUILD installs that build folder somewhere, moves it, and compiles every
program of the page as the page says: by pkg-config with the shared and the static
library, by Meson and by CMake. All have to print the same numbers for the same file.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fortran.md").read_text(encoding="utf-8")
FILES = {"meson": "meson.build", "cmake": "CMakeLists.txt", "sh": "compile.sh"}


def blocks():
    """Give the files that the page shows: name and text."""
    for language, text in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL):
        named = re.match(r"(?:!|/\*|C) +(\w+\.\w+)", text)
        yield named[1] if named else FILES[language], text


def run(*command, folder, **environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def install(build, folder):
    """Give the prefix of the installation, moved to `folder`."""
    staged = folder / "staged"
    run("meson", "install", "-C", build, "--destdir", staged, folder=folder)
    (pc,) = staged.rglob("fmdn.pc")
    header = next(staged.rglob("fmdn.h"))
    prefix = Path(os.path.commonpath([pc, header]))
    shutil.move(prefix, folder / "prefix")
    return folder / "prefix"


def check_contents(prefix):
    """Give the folder of the libraries, after a look at what is there."""
    names = {path.name for path in prefix.rglob("*") if path.is_file()}
    wanted = {"libfmdn.a", "libfmdn.so", "fmdn.pc", "fmdn.mod"}
    headers = sorted((ROOT / "fortran" / "include").glob("*.h"))
    wanted |= {"mdn_train.1", "mdn_apply.1"} | {path.name for path in headers}
    assert wanted <= names, f"missing: {wanted - names}"
    (library,) = prefix.rglob("libfmdn.so")
    shown = run("nm", "-D", "--defined-only", library, folder=prefix).splitlines()
    shown = {line.split()[-1].split("@")[0] for line in shown}
    text = "".join(path.read_text() for path in headers)
    public = set(re.findall(r"^void (\w+)", text, re.MULTILINE))
    old = (ROOT / "fortran" / "fmdn77.f90").read_text()
    public |= {f"{name}_" for name in re.findall(r"^subroutine (\w+)", old, re.M)}
    assert public <= shown, f"not shown: {public - shown}"
    facade = re.compile(
        r"__fmdn_(posteriors_)?MOD_\w+|__fmdn_\w+_MOD___\w+"
        r"|__fmdn_status_MOD_status_text"
    )
    more = {name for name in shown - public if not facade.fullmatch(name)}
    assert not more, f"shown, but not public: {more}"
    return library.parent


def quantiles(text):
    """Give the numbers of the first line."""
    return [float(number) for number in text.splitlines()[0].split()]


def check_compiled(folder, libraries, static):
    """The commands of the page; every program gives the same quantiles."""
    environment = {"PKG_CONFIG_PATH": str(libraries / "pkgconfig")}
    script = re.sub(r"export .*\n", "", (folder / "compile.sh").read_text())
    if static:
        script = script.replace("pkg-config", "pkg-config --static")
    else:
        environment["LD_LIBRARY_PATH"] = str(libraries)
    run("sh", "-e", "-c", script, folder=folder, **environment)
    for name, model in [("train", "depth.mdn"), ("train_cpp", "depth_cc.mdn")]:
        if not static:
            run(folder / name, folder=folder, **environment)
        assert (folder / model).exists()
    one, other = (folder / f"{name}.mdn" for name in ("depth", "depth_cc"))
    assert one.read_bytes() == other.read_bytes(), "Fortran and C train the same bits"
    expected = quantiles(run(folder / "apply", folder=folder, **environment))
    assert 5 < expected[0] < expected[1] < expected[2] < 15, expected
    for name in ("apply_c", "old"):
        assert quantiles(run(folder / name, folder=folder, **environment)) == expected
    kind = "static" if static else "shared"
    print(f"compiled with the {kind} library: {expected}")
    return expected


def check_project(folder, libraries, tool, expected):
    if not shutil.which(tool):
        print(f"{tool} is missing: not tried")
        return
    environment = {"PKG_CONFIG_PATH": str(libraries / "pkgconfig")}
    if tool == "meson":
        run("meson", "setup", "by_meson", folder=folder, **environment)
        run("meson", "compile", "-C", "by_meson", folder=folder)
    else:
        run("cmake", "-S", ".", "-B", "by_cmake", folder=folder, **environment)
        run("cmake", "--build", "by_cmake", folder=folder)
    environment["LD_LIBRARY_PATH"] = str(libraries)
    for name in ("apply", "apply_c"):
        program = folder / f"by_{tool}" / name
        assert quantiles(run(program, folder=folder, **environment)) == expected
    print(f"found by {tool}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        libraries = check_contents(install(sys.argv[1], folder))
        page = folder / "page"
        page.mkdir()
        for file, text in blocks():
            (page / file).write_text(text, encoding="utf-8")
        expected = check_compiled(page, libraries, static=False)
        check_project(page, libraries, "meson", expected)
        check_project(page, libraries, "cmake", expected)
        for shared in libraries.glob("libfmdn.so*"):
            shared.unlink()
        assert check_compiled(page, libraries, static=True) == expected


if __name__ == "__main__":
    main()
