#!/usr/bin/env bash
# Runs the primary server of a profile group in this terminal. Ctrl-C stops it.
# Usage: scripts/primary.sh [GROUP]     GROUP: a folder under profiles/ (default haprofile1), or the path of one elsewhere.
set -euo pipefail
called_from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
run_server primary "${1:-haprofile1}"
