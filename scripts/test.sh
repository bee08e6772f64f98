#!/usr/bin/env bash
# The whole gate: install, build, type check, lint, all tests, those of the adapters on a newer Node.js, exploration, short simulations, two scenarios on real hosts. Each step says its seconds, and all stand in a table at the end;
# the last line is `N passed, N failed`. A step that fails counts as one failure beside the tests'.
# SIMULATION_SEEDS (default 2000, which take about three minutes on two idle processors) seeds of the simulator are run, on all processors.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

work="$(mktemp -d)"
# What runs beside has a process group of its own each, so that all of it ends with this script.
trap 'for pid in $(jobs -p); do kill -- "-$pid" 2>/dev/null; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
report="$work/tests.json"
steps=()

# How a step ended is kept in a file of its name, so that two may run side by side.
run() {
  local name="$1" began=$SECONDS result=ok
  shift
  "$@" || result=FAILED
  printf '%s %s\n' "$result" "$((SECONDS - began))" >"$work/$name.end"
}
tell() {
  local result seconds
  read -r result seconds <"$work/$1.end"
  steps+=("$1")
  say "── $1: $result, $seconds s"
}
step() {
  say "── $1"
  run "$@"
  tell "$1"
}
# begin NAME COMMAND…: beside the steps that follow; what it prints is shown by `finish NAME`.
begin() {
  set -m
  run "$@" >"$work/$1.out" 2>&1 &
  set +m
  printf '%s\n' "$!" >"$work/$1.pid"
}
finish() {
  wait "$(cat "$work/$1.pid")"
  say "── $1"
  cat "$work/$1.out"
  tell "$1"
}

# Where a machine has not what a step needs, it says so and counts neither as passed nor as failed.
skippable() {
  local code=0
  "$@" || code=$?
  [ "$code" = 0 ] || [ "$code" = 77 ]
}

require_node
step install install_packages
begin lint npm run --silent lint
step build npm run --silent build
step "type check" npm run --silent typecheck
finish lint
# Seeds that the simulation below runs on the code as it is: at least 8 for each flaw, and all of them until it is found; where a late one found it the last time, those before it come first. Beside the tests, whose servers mostly wait; they go first.
begin "planted flaws" nice -n 19 node dist-test/test/simulation/flaws-main.js --seeds "${SIMULATION_SEEDS:-2000}" --least 8 --known-first --clean-elsewhere
step tests npm test --silent -- --json --outputFile="$report"
finish "planted flaws"
# Its hosts mostly wait, and go before everything else where they do not.
begin lab skippable scripts/lab.sh
step "newer Node.js" skippable scripts/node-versions.sh --short 24
step exploration npm run --silent explore
finish lab
step simulation npm run --silent simulate -- --seeds "${SIMULATION_SEEDS:-2000}"

say ""
failed=()
for name in "${steps[@]}"; do
  read -r result seconds <"$work/$name.end"
  printf '%-14s %5s s  %s\n' "$name" "$seconds" "$result"
  [ "$result" = ok ] || failed+=("$name")
done
printf '%-14s %5s s\n' "the gate" "$SECONDS"
[ "${#failed[@]}" -eq 0 ] || say "Failed: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"

node -e '
  const { readFileSync } = require("node:fs");
  const [file, ...steps] = process.argv.slice(1);
  let passed = 0;
  let failed = 0;
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    passed = report.numPassedTests;
    failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  } catch {}
  // The step of the tests is told by the tests themselves, once they ran.
  failed += steps.filter((name) => name !== "tests" || failed === 0).length;
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
' "$report" ${failed[@]+"${failed[@]}"}
