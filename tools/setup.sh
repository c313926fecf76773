# Sourced by ./demo, ./check and bench/run: installs what is missing and builds.
#   choose_torch [debian|pip]   which libtorch is built against; sets `build`, the build folder
#   prepare TARGET …            packages, configure, build
#   make_venv                   the venv with PyPI's torch; sets `venv`

choose_torch() {
  torch=${1:-}
  if [ -z "$torch" ]; then
    torch=debian
    if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
      torch=pip
      echo "An NVIDIA GPU was found: building against the libtorch of PyPI's torch (--torch debian: without the GPU)."
    fi
  fi
  case "$torch" in
    debian) build=$root/build/release ;;
    pip) build=$root/build/pip ;;
    *) echo "--torch: '$torch' is not known; expected debian or pip" >&2; exit 2 ;;
  esac
}

# torch goes first and alone: so pip takes the CPU build where one is configured.
make_venv() {
  venv=${ATELIER_VENV:-$root/.venv}
  if [ ! -x "$venv/bin/python" ]; then
    python3 -c 'import ensurepip' 2>/dev/null || install_named python3-venv
    echo "Making ${venv#"$root"/} …"
    python3 -m venv "$venv"
  fi
  "$venv/bin/python" -c 'import torch' 2>/dev/null && return 0
  echo "Installing torch from PyPI …"
  "$venv/bin/pip" install -q "$(grep '^torch==' "$root/tests/python/requirements.txt")"
}

packages_missing() {
  local name
  grep -vE '^[[:space:]]*(#|$)' "$root/packages.txt" | while read -r name; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# install_named NAME …: with apt, as root or with sudo
install_named() {
  local sudo="" log
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "These packages are missing and need root to install: $*" >&2; exit 2; }
    sudo=sudo
  fi
  echo "Installing $# packages with apt …"
  log=$(mktemp)
  if ! { $sudo apt-get update -qq &&
         $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt could not install: $*" >&2
    rm -f "$log"
    exit 2
  fi
  rm -f "$log"
}

install_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    local tool
    for tool in g++ cmake ninja pkg-config; do
      command -v "$tool" >/dev/null && continue
      echo "Atelier installs what it needs with apt, which is not here. It needs these Debian 12 packages or their like:" >&2
      grep -vE '^[[:space:]]*(#|$)' "$root/packages.txt" | sed 's/^/  /' >&2
      exit 2
    done
    return 0
  fi
  local missing
  missing=$(packages_missing)
  [ -z "$missing" ] || install_named $missing
}

# What was configured names the venv's libraries by their path: no longer, once that venv is gone.
configured() {
  [ -f "$build/build.ninja" ] || return 1
  [ "$torch" = debian ] || [ -d "$(sed -n 's/^ATELIER_TORCH:PATH=//p' "$build/CMakeCache.txt")/lib" ]
}

build_targets() {
  local log="$root/build/configure.log"
  mkdir -p "$root/build"
  cd "$root"
  if ! configured; then
    echo "Configuring …"
    local options=()
    if [ "$torch" = pip ]; then
      make_venv
      options=(-DATELIER_TORCH="$("$venv/bin/python" -c 'import torch; print(torch.__path__[0])')")
    fi
    cmake --preset release -B "$build" "${options[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 2; }
  fi
  local stale=no
  if [ -n "$(ninja -C "$build" -n "$@" 2>/dev/null | grep -v '^ninja: ')" ]; then
    stale=yes
    echo "Building (the first time takes some minutes) …"
  fi
  # One compile job takes up to 2 GB: on small machines memory is what limits.
  local jobs memory_gb
  memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  jobs=$(nproc)
  [ "$jobs" -le "$((memory_gb / 2 + 1))" ] || jobs=$((memory_gb / 2 + 1))
  local quiet=--quiet
  [ ! -t 1 ] || [ "$stale" = no ] || quiet=
  ninja -C "$build" -j"$jobs" $quiet "$@" || exit 2
}

prepare() {
  [ -n "${build:-}" ] || choose_torch
  install_packages
  build_targets "$@"
}
