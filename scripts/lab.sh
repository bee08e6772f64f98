#!/usr/bin/env bash
# Real hosts on one machine: scripts/lab.sh --help says what runs. Installs the Debian packages that are missing. Needs root on Debian;
# elsewhere it says so and ends with exit code 77.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
. scripts/lab-kernel.sh

SKIPPED=77
PACKAGES="user-mode-linux kmod nfs-kernel-server nfs-common cifs-utils samba iproute2 e2fsprogs procps"

skip() {
  say "The lab of real hosts is skipped: $*."
  exit "$SKIPPED"
}

require_hosts() {
  [ "$(uname -s)" = Linux ] || skip "it needs Linux"
  [ "$(id -u)" = 0 ] || skip "it needs root, for taps, mounts and guests"
  command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || skip "it needs Debian's packages"
  [ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
  # shellcheck disable=SC2086
  install_missing $PACKAGES
}

# Those of these packages that are not installed.
install_missing() {
  local package missing=""
  for package in "$@"; do
    if [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then missing="$missing $package"; fi
  done
  [ -n "$missing" ] || return 0
  say "Installing$missing …"
  # No service of these packages is started on this machine: they run in guests only.
  local policy=/usr/sbin/policy-rc.d made=""
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    made=1
  fi
  local installed=0
  # shellcheck disable=SC2086
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } >/dev/null || installed=$?
  if [ -n "$made" ]; then rm -f "$policy"; fi
  if [ "$installed" != 0 ]; then
    complain "The packages of the lab cannot be installed:$missing"
    exit 1
  fi
}

# Read where it stands, so that nothing is installed or built for it.
show_help() { sed -n '/^export const HELP = `/,/`;$/{s/^export const HELP = `//;s/`;$//;p;}' test/lab/options.ts; }

case " $* " in
  *" --help "* | *" -h "*)
    show_help
    exit 0
    ;;
  *" --list "*) ;;
  *)
    require_hosts
    choose_kernel
    ;;
esac
prepare
npm run --silent build:test
exec node dist-test/test/lab/main.js "$@"
