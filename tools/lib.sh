# Shared by the commands of this folder; to be sourced by bash. Says what is going on, installs packages without waking
# their services, builds as the owner of the tree.
# shellcheck shell=bash

set -euo pipefail
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command_name=$(basename "$0")

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

say() { printf '%s\n' "$*"; }
step() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s    %s%s\n' "$dim" "$*" "$plain"; }
fail() {
  printf '%s: %s\n' "$command_name" "$*" >&2
  exit 1
}

# A mistake in the command line.
misuse() {
  printf '%s: %s\n' "$command_name" "$*" >&2
  exit 2
}

need_root() {
  ((EUID == 0)) || fail "this needs root, to install packages and to build network namespaces: sudo tools/$command_name"
}

# What to do at the end, newest first, whatever ends the command.
cleanups=()
at_exit() { cleanups=("$1" ${cleanups[@]+"${cleanups[@]}"}); }
run_cleanups() {
  local each
  for each in ${cleanups[@]+"${cleanups[@]}"}; do "$each" || true; done
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Packages ---

# packages_of LIST...: the names in tools/packages/LIST.txt
packages_of() {
  local list
  for list in "$@"; do sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$source_dir/tools/packages/$list.txt"; done | sort -u
}

installed_packages() {
  # shellcheck disable=SC2016 # the braces are dpkg's
  dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^ii *//p' | sort -u
}

allow_services() {
  [[ -z ${our_policy:-} ]] || rm -f /usr/sbin/policy-rc.d
  our_policy=''
}

# A service that came with a package must not answer DHCP on somebody's network, not now and not after a restart.
disable_services_of() {
  local package unit
  command -v systemctl >/dev/null || return 0
  for package in "$@"; do
    dpkg -L "$package" 2>/dev/null |
      sed -nE -e 's,^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|timer))$,\2,p' \
        -e 's,^/etc/init\.d/([^/]+)$,\1.service,p' | sort -u |
      while read -r unit; do
        if [[ $(systemctl is-enabled "$unit" 2>/dev/null) == enabled ]]; then
          systemctl disable --quiet "$unit" 2>/dev/null || note "could not disable $unit"
          note "$unit stays off"
        fi
      done
  done
}

# install_packages LIST...: what is missing of these lists. Starts no service and leaves none switched on.
install_packages() {
  local before missing
  before=$(installed_packages)
  mapfile -t missing < <(comm -23 <(packages_of "$@") <(printf '%s\n' "$before"))
  if ((${#missing[@]} == 0)); then
    note "all packages are there"
    return
  fi
  [[ -e /etc/debian_version ]] || fail "packages are missing and this is no Debian: install what tools/packages/ lists"
  need_root
  note "to install: ${missing[*]}"
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    our_policy=yes
    at_exit allow_services
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update || fail "apt-get update failed: check the network and /etc/apt/sources.list"
  apt-get -q install -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]}"
  local fresh
  mapfile -t fresh < <(comm -13 <(printf '%s\n' "$before") <(installed_packages))
  disable_services_of ${fresh[@]+"${fresh[@]}"}
  allow_services
}

# --- Building ---

# The tree's owner builds, so that `sudo tools/...` leaves no files of root behind.
as_owner() {
  # One cache serves every checkout of this machine: paths below the tree count relative to it.
  export CCACHE_BASEDIR=$source_dir CCACHE_NOHASHDIR=1
  local owner
  owner=$(stat -c %U "$source_dir")
  if ((EUID == 0)) && [[ $owner != root && $owner != UNKNOWN ]]; then
    runuser -u "$owner" -- "$@"
  else
    "$@"
  fi
}

# One compiler takes up to a gigabyte.
build_jobs() {
  local by_memory
  by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1000000) }' /proc/meminfo)
  ((by_memory >= 1)) || by_memory=1
  local cores
  cores=$(nproc)
  echo $((by_memory < cores ? by_memory : cores))
}

# configure_and_build PRESET [FOLDER [CMAKE OPTION...]] -- [TARGET...]
configure_and_build() {
  local preset=$1 folder=$source_dir/build/$1 options=()
  shift
  if [[ ${1:---} != -- ]]; then
    folder=$source_dir/build/$1
    shift
  fi
  while (($#)) && [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  (($# == 0)) || shift
  # Another checkout's cache in this folder would stop CMake.
  if [[ -e $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source_dir" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  if ((EUID == 0)) && [[ -d $source_dir/build ]]; then
    chown -R --reference="$source_dir" "$source_dir/build"
  fi
  (cd "$source_dir" && as_owner cmake --preset "$preset" -B "$folder" --log-level=WARNING ${options[@]+"${options[@]}"}) ||
    return 1
  (cd "$source_dir" && as_owner cmake --build "$folder" --parallel "$(build_jobs)" ${1+--target "$@"})
}
