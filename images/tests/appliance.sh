#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes what test_vm.py boots, under build/images/appliance: a key; old, an image that trusts it, and what it is when made again; new and
# broken, upgrades that the key has signed, of which the second has an edge that does not run.
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
image --packages "$folder/packages.tar" --version "$version+next" "$folder/new"
image "$folder/again"
rm -f "$folder"/again/*.{raw,qcow2,upgrade}
mkdir -p "$folder/overlay/usr/bin"
printf '#!/bin/sh\nexit 1\n' >"$folder/overlay/usr/bin/headgate"
chmod 755 "$folder/overlay/usr/bin/headgate"
image --packages "$folder/packages.tar" --version "$version+broken" --overlay "$folder/overlay" "$folder/broken"
rm -f "$folder"/{new,broken}/*.{raw,qcow2}
