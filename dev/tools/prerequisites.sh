#!/bin/sh
# Prints the Python to build with, or says in one sentence what is missing and how to get it.
set -u

fail() {
    echo "$*" >&2
    exit 1
}

suits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

command -v git >/dev/null 2>&1 || fail "git is needed: install the package git."

if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or later with the module venv: name another one."
    echo "$PYTHON"
    exit 0
fi

for python in python3.14 python3.13 python3.12 python3.11 python3; do
    if suits "$python"; then
        command -v "$python"
        exit 0
    fi
done
fail "Python 3.11 or later with the module venv is needed: install python3.11 and python3.11-venv (or a later pair), or set PYTHON=path."
