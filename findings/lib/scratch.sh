# What every finding starts with: a scratch folder that goes with the script, pinned packages in a venv of its own, and a
# comparison of what was seen with what is seen now. Sourced, never run.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export LC_ALL=C PYTHONSAFEPATH=1

# install PACKAGE==VERSION ...: into the venv, whose programs come first from then on.
install() {
    "${PYTHON:-python3}" -m venv venv
    venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" 2> pip.log || { cat pip.log >&2; exit 1; }
    PATH="$scratch/venv/bin:$PATH"
}

# need PROGRAM DEBIAN_PACKAGE: what no venv can bring.
need() {
    command -v "$1" > /dev/null || { echo "$1 is missing: apt-get install $2" >&2; exit 2; }
}

# expect: standard input is what was seen when the finding was written; the file `seen` what is seen now.
expect() {
    if diff - seen; then
        echo "as it was seen"
    else
        echo "changed (< as it was seen, > now): look whether the finding still holds" >&2
        exit 1
    fi
}
