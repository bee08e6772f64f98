#!/usr/bin/env bash
# The whole gate: install, build, type check, lint, all tests, short simulations. The last line is `N passed, N failed`.
# SIMULATION_SEEDS (default 200; 1000 take about three minutes on two idle processors) seeds of the simulator are run, on all processors. A step that fails counts as one failure beside the tests'.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

failed_steps=0
step() {
  local name="$1" began=$SECONDS
  shift
  say "── $name"
  if "$@"; then
    say "── $name: ok, $((SECONDS - began)) s"
  else
    failed_steps=$((failed_steps + 1))
    say "── $name: FAILED, $((SECONDS - began)) s"
  fi
}

report="$(mktemp)"
trap 'rm -f "$report"' EXIT

require_node
step install install_packages
step build npm run --silent build
step "type check" npm run --silent typecheck
step lint npm run --silent lint
step tests npm test --silent -- --json --outputFile="$report"
if [ -f test/simulation/main.ts ]; then step simulation npm run --silent simulate -- --seeds "${SIMULATION_SEEDS:-200}"; fi

node -e '
  const { readFileSync } = require("node:fs");
  const [file, steps] = process.argv.slice(1);
  let passed = 0;
  let failed = 0;
  let tested = false;
  try {
    const report = JSON.parse(readFileSync(file, "utf8"));
    passed = report.numPassedTests;
    failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    tested = true;
  } catch {}
  // The step of the tests is told by the tests themselves, once they ran.
  failed += Number(steps) - (tested && failed > 0 && Number(steps) > 0 ? 1 : 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
' "$report" "$failed_steps"
