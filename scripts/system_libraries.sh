#!/bin/sh
# The libraries of a Debian or Ubuntu that napari's window and a virtual screen need.
# Installs what is missing if run as root; otherwise says what to install.
set -eu

packages="xvfb xauth libgl1 libegl1 libgl1-mesa-dri libxcb-cursor0 libxkbcommon-x11-0
libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0
libxcb-xinerama0 libxcb-xfixes0 libdbus-1-3 libfontconfig1 fonts-dejavu-core"

command -v dpkg-query >/dev/null 2>&1 || exit 0 # not a Debian: nothing to check

missing=""
for package in $packages; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
# venv is a package of its own there.
python3 -c "import ensurepip" 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Missing system libraries. Install them and run make again:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
