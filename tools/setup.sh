# Sourced by ./demo and ./check: installs what is missing and builds. Sets `root`.
#   prepare TARGET …     packages, configure, build

packages_missing() {
  local name
  grep -vE '^[[:space:]]*(#|$)' "$root/packages.txt" | while read -r name; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
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
  local missing sudo=""
  missing=$(packages_missing)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "These packages are missing and need root to install: $(echo $missing)" >&2; exit 2; }
    sudo=sudo
  fi
  echo "Installing $(echo "$missing" | wc -l) packages with apt …"
  local log
  log=$(mktemp)
  if ! { $sudo apt-get update -qq &&
         $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt could not install: $(echo $missing)" >&2
    rm -f "$log"
    exit 2
  fi
  rm -f "$log"
}

build() {
  local log="$root/build/configure.log"
  mkdir -p "$root/build"
  cd "$root"
  if [ ! -f build/release/build.ninja ]; then
    echo "Configuring …"
    cmake --preset release >"$log" 2>&1 || { cat "$log" >&2; exit 2; }
  fi
  local stale=no
  if [ -n "$(ninja -C build/release -n "$@" 2>/dev/null | grep -v '^ninja: ')" ]; then
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
  ninja -C build/release -j"$jobs" $quiet "$@" || exit 2
}

prepare() {
  install_packages
  build "$@"
}
