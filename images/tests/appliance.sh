#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes what test_vm.py boots, under build/images/appliance: a key; old, an image that trusts it, and what it is when made again; new and
# broken, upgrades that the key has signed, of which the second has an edge that does not run; secure, one that is signed for Secure
# Boot with the key that Debian ships to test with, and lets everybody in.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../common.sh"

folder=$made/appliance
version=$(project_version)
need qemu-system-x86 qemu-utils ovmf mtools dosfstools erofs-utils openssh-client
rm -rf "$folder"
mkdir -p "$folder"
ssh-keygen -q -t ed25519 -N '' -C release@headgate -f "$folder/key"
echo "release@headgate namespaces=\"headgate-image\" $(cut -d' ' -f1,2 "$folder/key.pub")" >"$folder/signers"
image() { "$root/images/vm/build.sh" --sign-key "$folder/key" --signers "$folder/signers" "$@"; }

image --packages "$folder/packages.tar" "$folder/old"
image --packages "$folder/packages.tar" --upgrade --version "$version.1" "$folder/new"
if [[ -z ${HEADGATE_SKIP_AGAIN:-} ]]; then image "$folder/again"; fi
rm -f "$folder"/again/*.{raw,qcow2,upgrade}
mkdir -p "$folder/overlay/usr/bin"
printf '#!/bin/sh\nexit 1\n' >"$folder/overlay/usr/bin/headgate"
chmod 755 "$folder/overlay/usr/bin/headgate"
image --packages "$folder/packages.tar" --upgrade --version "$version.2" --overlay "$folder/overlay" "$folder/broken"
openssl rsa -in /usr/share/ovmf/PkKek-1-snakeoil.key -passin pass:snakeoil -out "$folder/boot_key" 2>/dev/null
image --packages "$folder/packages.tar" --debug --secure-boot "$folder/boot_key" /usr/share/ovmf/PkKek-1-snakeoil.pem "$folder/secure"
rm -f "$folder"/secure/*.{raw,upgrade} "$folder/boot_key"
