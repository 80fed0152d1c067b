#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the Debian package of the release binary, with manual pages and completions made from its help texts.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../common.sh"

help() {
  cat <<'HELP'
usage: images/deb/build.sh [--program FILE] [--version VERSION] [FOLDER]

Makes FOLDER/headgate_VERSION_ARCHITECTURE.deb (FOLDER is build/images/deb) of build/release/headgate, for the Debian
release that the program was compiled on. Two builds of one commit are the same, byte for byte (SOURCE_DATE_EPOCH).

  --program FILE      another program than build/release/headgate
  --version VERSION   another version than that of CMakeLists.txt
HELP
}

program='' version='' folder=$made/deb
while (($#)); do
  case $1 in
    --program) program=$(readlink -f "${2:?--program needs a file}") && shift ;;
    --version) version=${2:?--version needs a version} && shift ;;
    -h | --help) help && exit ;;
    -*) fail "unknown option '$1'" "images/deb/build.sh --help" ;;
    *) folder=$1 ;;
  esac
  shift
done
program=${program:-$(the_program)} version=${version:-$(project_version)}
SOURCE_DATE_EPOCH=$(source_date_epoch)
export SOURCE_DATE_EPOCH
need debhelper dpkg-dev python3

say "Making the Debian package headgate $version"
mkdir -p "$folder"
folder=$(readlink -f "$folder")
tree=$folder/headgate-$version
rm -rf "$tree"
mkdir -p "$tree"
cp -R "$root"/images/deb/{debian,sysctl,nftables,edge.yaml} "$root/README.md" "$root/examples" "$tree"
cp "$program" "$tree/headgate"
/usr/bin/python3 -B "$root/images/deb/manual.py" "$program" "$root/schema/README.md" "$tree/man"
/usr/bin/python3 -B "$root/images/deb/completions.py" "$program" "$tree/completions"
cat >"$tree/debian/changelog" <<CHANGELOG
headgate ($version) stable; urgency=medium

  * See CHANGELOG.md of this version.

 -- The Headgate authors <headgate@localhost>  $(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
CHANGELOG
cd "$tree"
quietly dpkg-buildpackage --build=binary --no-sign --no-check-builddeps
rm -rf "$tree" "$folder/headgate_$version"_*.{buildinfo,changes}
say "Made: $(printf '%s ' "$folder/headgate_$version"_*.deb)($(stat -c %s "$folder/headgate_$version"_*.deb) octets)"
