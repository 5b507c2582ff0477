#!/bin/sh
# Finds a Fortran compiler and the parts of Python that compiled packages need; installs what is
# missing on Debian and Ubuntu, says what to type elsewhere. Usage: toolchain.sh [python]
set -eu
python=${1:-python3}
fortran=${FC:-gfortran}
compiler=${CC:-cc}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
   echo "fmdn needs Python 3.10 or newer, but '$python' is not; try: make PYTHON=python3.12" >&2
   exit 1
fi

has_headers() {
   "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

# The Debian packages for what is missing.
missing() {
   version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
   command -v "$fortran" >/dev/null || echo gfortran
   { command -v "$compiler" && echo '#include <stdio.h>' | "$compiler" -E -; } >/dev/null 2>&1 ||
      echo gcc libc6-dev
   "$python" -c 'import venv, ensurepip' 2>/dev/null || echo "$version-venv"
   has_headers || echo "$version-dev"
}

packages=$(missing | paste -s -d ' ' -)
[ -n "$packages" ] || exit 0

explain() {
   cat >&2 <<TEXT
fmdn is compiled here, and this machine lacks (by Debian's names): $packages
Install that, then run make again:
   Debian, Ubuntu   sudo apt-get install $packages
   Fedora           sudo dnf install gcc-gfortran python3-devel
   macOS            brew install gcc
   conda            conda install -c conda-forge compilers
TEXT
   exit 1
}

command -v apt-get >/dev/null || explain
if [ "$(id -u)" = 0 ]; then
   root=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
   root=sudo
else
   explain
fi

install() {
   # shellcheck disable=SC2086 # both are lists of words
   $root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $packages
}

echo "Installing $packages (apt)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { install || { $root apt-get update -q && install; }; } >"$log" 2>&1 </dev/null; then
   tail -n 20 "$log" >&2
   explain
fi
packages=$(missing | paste -s -d ' ' -)
[ -z "$packages" ] || explain
