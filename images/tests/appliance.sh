#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: images/tests/appliance.sh [key] [images] [again]
#
# Makes what test_vm.py boots, under build/images/appliance, all of it unless told otherwise:
#
#   key      signs releases; everything made before goes
#   images   old, an image that trusts the key; new and broken, upgrades that it has signed, of which the second has an edge that does
#            not run; secure, one that is signed for Secure Boot with the key that Debian ships to test with, and lets everybody in
#   again    what old is when it is made again, with packages fetched anew
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../common.sh"

folder=$made/appliance
version=$(project_version)
need qemu-system-x86 qemu-utils ovmf mtools dosfstools erofs-utils openssh-client
image() { "$root/images/vm/build.sh" --sign-key "$folder/key" --signers "$folder/signers" "$@"; }

make_key() {
  rm -rf "$folder"
  mkdir -p "$folder"
  ssh-keygen -q -t ed25519 -N '' -C release@headgate -f "$folder/key"
  echo "release@headgate namespaces=\"headgate-image\" $(cut -d' ' -f1,2 "$folder/key.pub")" >"$folder/signers"
}

make_images() {
  image --packages "$folder/packages.tar" "$folder/old"
  image --packages "$folder/packages.tar" --upgrade --version "$version.1" "$folder/new"
  mkdir -p "$folder/overlay/usr/bin"
  printf '#!/bin/sh\nexit 1\n' >"$folder/overlay/usr/bin/headgate"
  chmod 755 "$folder/overlay/usr/bin/headgate"
  image --packages "$folder/packages.tar" --upgrade --version "$version.2" --overlay "$folder/overlay" "$folder/broken"
  openssl rsa -in /usr/share/ovmf/PkKek-1-snakeoil.key -passin pass:snakeoil -out "$folder/boot_key" 2>/dev/null
  image --packages "$folder/packages.tar" --debug --secure-boot "$folder/boot_key" /usr/share/ovmf/PkKek-1-snakeoil.pem "$folder/secure"
  rm -f "$folder"/secure/*.{raw,upgrade} "$folder/boot_key"
}

make_again() {
  image "$folder/again"
  rm -f "$folder"/again/*.{raw,qcow2,upgrade}
}

if (($# == 0)); then set -- key images again; fi
for each; do
  case $each in
    key | images | again) "make_$each" ;;
    *) fail "unknown argument '$each'" "images/tests/appliance.sh [key] [images] [again]" ;;
  esac
done
