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
  local folder="$1" work mirror libraries release made=0
  work="$(mktemp -d)"
  # A mirror that this system uses already.
  mirror="$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' | awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')"
  (
    set -e
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/new/lib/modules"
    printf 'deb %s %s main\n' "$mirror" "$NEWER_SUITE" > "$work/sources.list"
    cd "$work"
    set -- -q -q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
    apt-get "$@" update
    apt-get "$@" download user-mode-linux libc6
    for package in *.deb; do dpkg-deb --extract "$package" all; done
    libraries="$(dirname "$(find all/usr/lib -name libc.so.6)")"
    cp "$libraries"/*.so* new/
    cp all/usr/bin/linux.uml new/
    for release in all/usr/lib/uml/modules/*; do
      cp -r "$release" new/lib/modules/
      depmod -b new "${release##*/}"
    done
    patchelf --set-interpreter "$folder/ld-linux-x86-64.so.2" --set-rpath "$folder" new/linux.uml
    mkdir -p "$(dirname "$folder")"
    rm -rf "$folder"
    mv new "$folder"
  ) || made=$?
  rm -rf "$work"
  [ "$made" = 0 ] || skip "this processor has AMX, and a kernel that is new enough for the guests cannot be had from $mirror, see above"
}
