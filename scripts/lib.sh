# What the scripts share. Sourced by them, with the project's folder as the working directory.

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

require_node() {
  if ! command -v node >/dev/null 2>&1; then
    complain "Node.js is not installed; Lockstep needs version 20.15 or later (https://nodejs.org)."
    exit 1
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)'; then
    complain "Node.js $(node --version) is too old; Lockstep needs version 20.15 or later."
    exit 1
  fi
}

# net-ping brings a native part; it is optional, so that a machine without a compiler installs all the same.
install_packages() {
  if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "Installing packages …"
    npm ci --no-audit --no-fund --no-progress --loglevel=error && touch node_modules/.package-lock.json
  fi
}

build_if_needed() {
  if [ ! -f dist/.stamp ] || [ ! -f dist/cli/main.js ] || [ -n "$(find src package.json tsconfig.json -newer dist/.stamp -print | head -n 1)" ]; then
    say "Building …"
    # The stamp is as old as the beginning: a source that changes meanwhile is built the next time.
    mkdir -p dist && touch dist/.stamp.new
    npm run --silent build && mv dist/.stamp.new dist/.stamp
  fi
}

prepare() {
  require_node
  if ! command -v flock >/dev/null 2>&1; then
    install_packages
    build_if_needed
    return
  fi
  # Two scripts in two terminals, at the first call: one after the other.
  (
    flock 9
    install_packages
    build_if_needed
  ) 9<package.json
}

lockstep() { node dist/cli/main.js "$@"; }

# The folder that holds a group's primary and secondary: a name under profiles/, or a path from where the script was called.
group_folder() {
  case "$1" in
    /*) printf '%s\n' "${1%/}" ;;
    */*)
      local path="${1%/}"
      printf '%s\n' "$called_from/${path#./}"
      ;;
    *) printf 'profiles/%s\n' "$1" ;;
  esac
}

require_group() {
  local folder
  folder="$(group_folder "$1")"
  if [ ! -f "$folder/primary/lockstep.yaml" ] && [ ! -f "$folder/secondary/lockstep.yaml" ]; then
    complain "No profiles in $folder. Give the name of a group under profiles/, or the path of a folder that holds primary/ or secondary/."
    exit 2
  fi
}

# The bundled groups keep their share in runtime/, on this very machine.
make_share() {
  case "$1" in
    */*) ;;
    *) mkdir -p "runtime/$1/share" ;;
  esac
}

# Runs one server of a group in the foreground.
run_server() {
  local role="$1" group="$2"
  require_group "$group"
  prepare
  make_share "$group"
  exec node dist/cli/main.js start "$(group_folder "$group")/$role"
}
