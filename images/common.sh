# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts that build images share: talking, versions and times, Debian packages. To be sourced.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# shellcheck disable=SC2034  # who sources this uses it
readonly made=$root/build/images

say() { printf '==> %s\n' "$*" >&2; }
# fail WHAT [WHAT TO DO…]
fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}

# quietly COMMAND…: its output is shown only when it fails.
quietly() {
  local output code=0
  output=$("$@" 2>&1) || code=$?
  ((code == 0)) || { printf '%s\n' "$output" >&2; fail "This failed ($code): $*"; }
}

project_version() { sed -n 's/^project(headgate VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt"; }

# What stands for the time in everything that is made: that of the commit, so that two builds are the same.
source_date_epoch() {
  if [[ -n ${SOURCE_DATE_EPOCH:-} ]]; then
    echo "$SOURCE_DATE_EPOCH"
  else
    git -C "$root" log -1 --format=%ct 2>/dev/null || fail "This is not a git checkout: set SOURCE_DATE_EPOCH."
  fi
}

# need PACKAGE…: installs Debian packages that are missing.
need() {
  local package missing=()
  for package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "Installing Debian packages: ${missing[*]}"
  local install=(apt-get -q install -y --no-install-recommends "${missing[@]}")
  ((EUID == 0)) || fail "Packages are missing." "As root: apt-get update && ${install[*]}"
  mkdir -p "$made"
  # apt-get does not wait for another one; what it starts must not keep the lock.
  {
    flock 8
    quietly apt-get -q update 8>&-
    DEBIAN_FRONTEND=noninteractive quietly "${install[@]}" 8>&-
  } 8>"$made/.apt"
}

# debian_lists: the lines of an apt source list with which this machine gets bookworm's main component: the release, its
# updates, its security.
debian_lists() {
  local format='$(SITE) $(REPO_URI) $(CODENAME) $(RELEASE) $(COMPONENT) $(SOURCESENTRY)' lines
  lines=$(apt-get indextargets --format "$format" 'Identifier: Packages' | awk '
    # bookworm is found by its code name; what belongs to it by its suite.
    $5 == "main" && ($3 == "bookworm" || $3 ~ /^bookworm-(updates|security)$/) && !seen[$3]++ {
      trusted = ""
      entry = $6
      sub(/:[0-9]*$/, "", entry)
      if (entry != "" && system("grep -qisE \"^trusted: *yes|trusted=yes\" " entry) == 0) trusted = "[trusted=yes] "
      print "deb " trusted $2 " " $3 " main"
    }')
  [[ $lines == *' bookworm main'* ]] || fail "apt on this machine knows no bookworm/main." \
    "Images are built on Debian 12: add Debian's bookworm to /etc/apt/sources.list and run: apt-get update"
  printf '%s\n' "$lines"
}

# the_program: the release binary.
the_program() {
  local program=$root/build/release/headgate
  [[ -x $program ]] || fail "$program is not there." "Make it: ./dev build"
  echo "$program"
}
