# The kernel of the lab's guests. Sourced by lab.sh.
#
# A processor with AMX has more registers than a User Mode Linux before 6.13 has room for; since then it asks the machine how many they are. Where the system's
# package is older, that of a newer Debian is used: fetched and checked by apt with lists of its own, unpacked into a folder of this user, and never installed. Its
# program wants a newer C library, which lies beside it.
NEWER_SUITE=forky
ENOUGH=6.13

# In the guests /tmp, /run, /var/cache and others are their own: the modules must lie elsewhere.
kernel_folder() { printf '%s/lockstep/lab-kernel-%s\n' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}" "$NEWER_SUITE"; }

# Says by LOCKSTEP_LAB_KERNEL and LOCKSTEP_LAB_MODULES which kernel the guests run, where it is not the system's. What is set already stays.
choose_kernel() {
  [ -z "${LOCKSTEP_LAB_KERNEL:-}" ] || return 0
  grep -q -w amx_tile /proc/cpuinfo || return 0
  local version folder
  version="$(dpkg-query --show --showformat='${Version}' user-mode-linux)"
  if dpkg --compare-versions "$version" ge "$ENOUGH"; then return 0; fi
  folder="$(kernel_folder)"
  if [ ! -x "$folder/linux.uml" ]; then
    say "This processor has AMX, for which the guests' kernel $version is too old: fetching that of Debian $NEWER_SUITE …"
    install_missing patchelf
    fetch_kernel "$folder"
  fi
  export LOCKSTEP_LAB_KERNEL="$folder/linux.uml" LOCKSTEP_LAB_MODULES="$folder/lib/modules"
}

fetch_kernel() {
  local folder="$1" work mirror
  # A mirror that this system uses already.
  mirror="$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' | awk '$2 == "main" && $1 !~ /security/ && !found { found = $1 } END { print found }')"
  [ -n "$mirror" ] || skip "this processor has AMX, and this system names no mirror that a kernel which is new enough for the guests could be had from"
  work="$(mktemp -d)"
  # Chained: a shell looks at no failure inside of a condition.
  if fetch_packages "$work" "$mirror" && unpack_kernel "$work" "$folder" && mkdir -p "$(dirname "$folder")" && rm -rf "$folder" && mv "$work/new" "$folder"; then
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  skip "this processor has AMX, and a kernel that is new enough for the guests cannot be had from $mirror, see above"
}

fetch_packages() {
  local work="$1" mirror="$2"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" || return 1
  printf 'deb %s %s main\n' "$mirror" "$NEWER_SUITE" > "$work/sources.list"
  set -- -q -q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
  apt-get "$@" update && (cd "$work" && apt-get "$@" download user-mode-linux libc6)
}

unpack_kernel() {
  local work="$1" folder="$2" package release libraries
  mkdir -p "$work/new/lib/modules" || return 1
  for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$work/all" || return 1; done
  libraries="$(dirname "$(find "$work/all/usr/lib" -name libc.so.6)")"
  cp "$libraries"/*.so* "$work/new/" && cp "$work/all/usr/bin/linux.uml" "$work/new/" || return 1
  for release in "$work"/all/usr/lib/uml/modules/*; do
    cp -r "$release" "$work/new/lib/modules/" && depmod -b "$work/new" "${release##*/}" || return 1
  done
  patchelf --set-interpreter "$folder/ld-linux-x86-64.so.2" --set-rpath "$folder" "$work/new/linux.uml"
}
