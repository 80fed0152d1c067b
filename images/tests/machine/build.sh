#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the disk of a plain Debian 12 for the test of the package: what the package depends on is there, it itself is not,
# in two versions under /packages. The test that it runs when it boots is guest.sh.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../common.sh"

folder=$made/machine
here=$root/images/tests/machine
need mmdebstrap qemu-system-x86 qemu-utils e2fsprogs
mkdir -p "$folder"
SOURCE_DATE_EPOCH=$(source_date_epoch)
export SOURCE_DATE_EPOCH
version=$(project_version) architecture=$(dpkg --print-architecture)
rm -rf "$folder/packages" "$folder/root" "$folder/kernel"
mkdir -p "$folder/packages" "$folder/kernel"
cp "$made/deb/headgate_${version}_$architecture.deb" "$folder/packages/old.deb"
"$root/images/deb/build.sh" --version "$version+next" "$folder/packages"
mv "$folder/packages/headgate_${version}+next_$architecture.deb" "$folder/packages/new.deb"

say "Making a Debian 12 to install it on"
include=systemd-sysv,dbus,udev,kmod,nftables,curl,iproute2,gnupg,modsecurity-crs,git,openssh-client,gpgv,ca-certificates
# shellcheck disable=SC2016  # mmdebstrap's shell puts the folder in
quietly mmdebstrap --mode=root --variant=minbase --include="$include" --aptopt='APT::Install-Recommends "false"' \
  --customize-hook="copy-in $folder/packages /" \
  --customize-hook='chroot "$1" apt-get -q install -y /packages/old.deb' \
  --customize-hook='chroot "$1" apt-get -q purge -y headgate' \
  --customize-hook="copy-in $here/guest.sh $here/guest.service /root" \
  --customize-hook='install -m 755 "$1/root/guest.sh" "$1/usr/local/sbin/guest.sh"' \
  --customize-hook='install -D -m 644 "$1/root/guest.service" "$1/etc/systemd/system/guest.service"' \
  --customize-hook='systemctl --root="$1" enable guest.service' \
  --customize-hook='systemctl --root="$1" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer' \
  --customize-hook='userdel --root "$1" headgate; rm -rf "$1"/var/cache/apt/archives/*.deb' \
  bookworm "$folder/root" - <<<"$(debian_lists)"

# The kernel is not installed, for there is no initrd: it has the drivers of this machine's disk in it.
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
(cd "$folder/kernel" && quietly apt-get -o APT::Sandbox::User=root download "$kernel")
dpkg-deb --extract "$folder/kernel"/*.deb "$folder/kernel/tree"
cp "$folder/kernel/tree/boot"/vmlinuz-* "$folder/vmlinuz"
cp -R "$folder/kernel/tree/lib/modules" "$folder/root/usr/lib/"
chroot "$folder/root" depmod "$(basename "$folder/kernel/tree/lib/modules"/*)"
rm -f "$folder/disk.raw"
truncate --size 2G "$folder/disk.raw"
quietly mke2fs -q -t ext4 -d "$folder/root" "$folder/disk.raw"
rm -rf "$folder/root" "$folder/kernel"
