#!/usr/bin/env bash
# Runs a make target on a CPython of Debian, in a chroot that debootstrap makes and that stays for the next time.
#
#   tools/debian_python.sh PYTHON [TARGET [VARIABLE=VALUE...]]    python3.15, test-python
#
# SUITE=sid (default) has the newest ones; CHROOT=build/debian-sid is where it lies, the tree in /src. PACKAGES are installed
# beside what the tests need. A mirror that stands still is refused by apt once its Release file expires; with
# APT_OPTIONS="-o Acquire::Check-Valid-Until=false" it serves. Needs root and debootstrap. Nothing of the chroot is
# mounted or running after the end.
set -eu
cd "$(dirname "$0")/.."

python=${1:?"usage: tools/debian_python.sh PYTHON [TARGET [VARIABLE=VALUE...]]"}
shift
[ $# -gt 0 ] || set -- test-python
suite=${SUITE:-sid}
chroot=${CHROOT:-build/debian-$suite}

if [ "$(id -u)" != 0 ] || ! command -v debootstrap > /dev/null; then
    echo "a chroot needs root and debootstrap (apt-get install debootstrap)" >&2
    exit 1
fi

if [ ! -e "$chroot/etc/debian_version" ]; then
    mkdir -p "$chroot"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$chroot"
fi
# Downloads inside go the way they go outside, through a proxy with an authority of its own, too.
cp /etc/resolv.conf "$chroot/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/ca-certificates.crt"

# The tree without what was built in it; what was built in the chroot stays there.
mkdir -p "$chroot/src"
find "$chroot/src" -mindepth 1 -maxdepth 1 ! -name '.venv*' ! -name build -exec rm -rf {} +
tar --create --exclude=./.git --exclude=./build --exclude='./.venv*' --exclude='*.so' --exclude=__pycache__ . |
    tar --extract --no-same-owner --directory="$chroot/src"

# Mounts of a namespace of its own end with the last process in it.
exec unshare --mount --pid --fork bash -eu -c '
    chroot=$1 python=$2
    shift 2
    mount --rbind /dev "$chroot/dev"
    mount -t proc proc "$chroot/proc"
    packages="$python-dev $python-venv gcc make binutils elfutils libc-bin gdb nodejs clang lld llvm ${PACKAGES:-}"
    inside() { chroot "$chroot" env HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
    inside dpkg --status $packages > /dev/null 2>&1 || {
        inside apt-get ${APT_OPTIONS:-} update -qq
        inside apt-get ${APT_OPTIONS:-} install -y -qq --no-install-recommends $packages
    }
    inside make -C /src "$@" PYTHON="/usr/bin/$python"
' bash "$chroot" "$python" "$@"
