#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Lists what was made, and signs the list.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

help() {
  cat <<'HELP'
usage: images/sums.sh [--sign-key FILE] [FOLDER]

Writes FOLDER/SHA256SUMS (FOLDER is build/images): the Debian package, the container image, the appliance images and their lists of what
is in them (SPDX), as far as they have been made.

  --sign-key FILE   an SSH key that signs it: SHA256SUMS.sig, namespace headgate-image

  ssh-keygen -Y verify -f SIGNERS -I NAME -n headgate-image -s SHA256SUMS.sig <SHA256SUMS && sha256sum --check SHA256SUMS
HELP
}

sign_key='' folder=$made
while (($#)); do
  case $1 in
    --sign-key) sign_key=$(readlink -f "${2:?--sign-key needs a file}") && shift ;;
    -h | --help) help && exit ;;
    -*) fail "unknown option '$1'" "images/sums.sh --help" ;;
    *) folder=$1 ;;
  esac
  shift
done
cd "$folder"
shopt -s nullglob
files=(deb/headgate_*.deb oci/headgate-oci*.tar oci/headgate-oci*.spdx.json vm/headgate_*.{qcow2,raw,spdx.json,upgrade})
((${#files[@]})) || fail "Nothing has been made in $folder." "Make it: images/deb/build.sh, images/oci/build.sh, images/vm/build.sh"
say "Listing ${#files[@]} files"
sha256sum "${files[@]}" >SHA256SUMS
rm -f SHA256SUMS.sig
if [[ -n $sign_key ]]; then
  need openssh-client
  quietly ssh-keygen -Y sign -f "$sign_key" -n headgate-image SHA256SUMS
fi
say "Made: $folder/SHA256SUMS${sign_key:+ and its signature}"
