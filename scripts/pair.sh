#!/usr/bin/env bash
# Runs both servers of a profile group on this one machine, for trying out. Ctrl-C stops both, also one that was killed and
# started again beside this script by scripts/primary.sh or scripts/secondary.sh.
# Usage: scripts/pair.sh [GROUP]     GROUP: a folder under profiles/ (default haprofile1), or the path of one elsewhere.
set -euo pipefail
called_from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

group="${1:-haprofile1}"
folder="$(group_folder "$group")"
primary_pid=""
secondary_pid=""

runs() { lockstep status "$folder/$1" >/dev/null 2>&1; }
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Puts the server's name before each line. It outlives Ctrl-C, so that the last lines are seen.
prefixed() {
  trap '' INT TERM
  local line
  while IFS= read -r line || [ -n "$line" ]; do printf '%-9s | %s\n' "$1" "$line"; done
}

stop_both() {
  trap '' INT TERM
  say ""
  say "Stopping both servers …"
  # The passive one first: the serving one then need not hand over to it.
  local role order="secondary primary"
  if lockstep status --json "$folder/secondary" 2>/dev/null | grep -q '"serving": true'; then order="primary secondary"; fi
  for role in $order; do
    if runs "$role"; then lockstep stop "$folder/$role" 2>&3 || true; fi
  done
  local pid tries
  for pid in "$primary_pid" "$secondary_pid"; do
    tries=0
    while alive "$pid"; do
      tries=$((tries + 1))
      # It has no admin port yet, or does not answer: ask it by signal, then end it.
      if [ "$tries" -eq 50 ]; then kill -TERM "$pid" 2>/dev/null || true; fi
      if [ "$tries" -eq 200 ]; then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  done
  sleep 0.2
  say "Both servers are stopped."
  exit 0
}

show_addresses() {
  node --input-type=module -e '
    import { loadProfile } from "./dist/profile/load.js";
    const [primary, secondary] = ["primary", "secondary"].map((role) => loadProfile(`${process.argv[1]}/${role}`, { checkFiles: false }));
    const at = ({ mqtt }) => `${mqtt.advertisedHost}:${mqtt.port}`;
    console.log(`Clients (MQTT) connect to ${at(primary)} or ${at(secondary)}: give them both; the one that serves answers.`);
    console.log(`Status: node dist/cli/main.js status ${process.argv[1]}/primary (and …/secondary)`);
  ' "$folder"
}

require_group "$group"
prepare
make_share "$group"
for role in primary secondary; do
  if runs "$role"; then
    complain "The $role server of $group runs already. Stop it with: node dist/cli/main.js stop $folder/$role"
    exit 1
  fi
done

say ""
show_addresses
say "The share is a folder of this machine: that is for trying out. A pair that shall survive the loss of a machine needs two"
say "servers, and the share on a third (docs/operations.md). Ctrl-C stops both."
say ""

exec 3>&2
# Job control puts each server into a process group of its own: Ctrl-C reaches this script alone, which stops them in order.
set -m
trap stop_both INT TERM
node dist/cli/main.js start "$folder/primary" > >(prefixed primary) 2>&1 3>&- &
primary_pid=$!
node dist/cli/main.js start "$folder/secondary" > >(prefixed secondary) 2>&1 3>&- &
secondary_pid=$!
set +m

tell_end() {
  local role="$1" pid="$2" code=0
  wait "$pid" || code=$?
  say "pair      | The $role server (pid $pid) has ended, exit code $code. Start it again beside this script with: scripts/$role.sh $group"
}

# Without the shell's own line on a job that was killed; what is said here goes to 3.
while :; do
  if [ -n "$primary_pid" ] && ! alive "$primary_pid"; then
    tell_end primary "$primary_pid"
    primary_pid=""
  fi
  if [ -n "$secondary_pid" ] && ! alive "$secondary_pid"; then
    tell_end secondary "$secondary_pid"
    secondary_pid=""
  fi
  if [ -z "$primary_pid" ] && [ -z "$secondary_pid" ]; then
    if ! runs primary && ! runs secondary; then
      complain "No server of $group runs any more." 2>&3
      exit 1
    fi
    sleep 4
  fi
  sleep 1
done 2>/dev/null
