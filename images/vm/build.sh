#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the disk image of the appliance: Debian's packages and ours on a read-only root that is verified block by block, in the
# first of two slots. Nothing is mounted and no loop device is needed.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../common.sh"
here=$root/images/vm
readonly here esp_mib=256 tree_mib=16 root_mib=640

help() {
  cat <<'HELP'
usage: images/vm/build.sh [OPTIONS] [FOLDER]

Makes FOLDER/headgate_VERSION.raw and .qcow2 (FOLDER is build/images/vm) of build/release/headgate, for UEFI and BIOS, with a list
of what is in it (.spdx.json) and SHA256SUMS. Two builds of one commit are the same, byte for byte. As root; about two minutes.

  --version VERSION    another version than that of CMakeLists.txt
  --upgrade            only the .upgrade, for machines that run already
  --overlay FOLDER     files of yours that lie over the root file system
  --packages FILE      keep the file system of packages in this archive, or take it from there when it exists
  --debug              log in as root on the serial line, without a password: never for a machine that others can reach
  --sign-key FILE      an SSH key that signs SHA256SUMS (SHA256SUMS.sig, namespace headgate-image) and the upgrade
  --signers FILE       whose upgrades this image takes: public keys as in ssh-keygen's ALLOWED SIGNERS
  --secure-boot KEY CERTIFICATE
                       sign boot loader and kernel for Secure Boot with this key (PEM)
HELP
}

# make_packages: the file system of Debian's packages and ours, with one that stands for the initrd that is made below.
make_packages() {
  "$root/images/deb/build.sh" --version "$version" "$work/packages"
  mkdir -p "$work/stand-in/DEBIAN"
  cat >"$work/stand-in/DEBIAN/control" <<'CONTROL'
Package: headgate-initrd
Version: 1
Architecture: all
Maintainer: The Headgate authors <headgate@localhost>
Provides: linux-initramfs-tool
Description: stands for the initrd of the appliance
CONTROL
  quietly dpkg-deb --build --root-owner-group "$work/stand-in" "$work/packages/headgate-initrd.deb"
  (cd "$work/packages" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)

  say "Installing packages"
  local include exclude=() path
  include=headgate,headgate-initrd,linux-image-cloud-amd64,systemd-sysv,systemd-boot,udev,dbus,systemd-resolved,systemd-timesyncd,kmod
  include+=,e2fsprogs,fdisk,mount,netbase,nftables,ca-certificates,cryptsetup-bin,curl,modsecurity-crs
  for path in man info locale doc lintian bug bash-completion zsh fish pixmaps; do exclude+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
  quietly mmdebstrap --mode=root --variant=essential --include="$include" --aptopt='APT::Install-Recommends "false"' \
    "${exclude[@]}" --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    bookworm "$packages" - <<<"$(debian_lists)
deb [trusted=yes] copy:$work/packages ./"
}

version='' upgrade='' overlay='' packages='' folder=$made/vm debug='' sign_key='' signers='' boot_key='' boot_certificate=''
while (($#)); do
  case $1 in
    --version) version=${2:?--version needs a version} && shift ;;
    --upgrade) upgrade=1 ;;
    --overlay) overlay=$(readlink -f "${2:?--overlay needs a folder}") && shift ;;
    --packages) packages=$(readlink -f "${2:?--packages needs a file}") && shift ;;
    --debug) debug=1 ;;
    --sign-key) sign_key=$(readlink -f "${2:?--sign-key needs a file}") && shift ;;
    --signers) signers=$(readlink -f "${2:?--signers needs a file}") && shift ;;
    --secure-boot) boot_key=$(readlink -f "${2:?--secure-boot needs a key}") boot_certificate=$(readlink -f "${3:?--secure-boot needs a certificate}") && shift 2 ;;
    -h | --help) help && exit ;;
    -*) fail "unknown option '$1'" "images/vm/build.sh --help" ;;
    *) folder=$1 ;;
  esac
  shift
done
((EUID == 0)) || fail "Making a file system of packages needs root."
[[ $(dpkg --print-architecture) == amd64 ]] || fail "The appliance image is made on amd64."
version=${version:-$(project_version)}
[[ ! $version =~ [^0-9A-Za-z.~] ]] || fail "The version '$version' cannot be that of an image." "Letters, digits, dots and ~: it names files of boot loaders."
SOURCE_DATE_EPOCH=$(source_date_epoch)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
need mmdebstrap dpkg-dev erofs-utils cryptsetup-bin mtools dosfstools fdisk qemu-utils cpio zstd binutils busybox-static kmod sbsigntool \
  openssh-client python3

mkdir -p "$folder"
folder=$(readlink -f "$folder")
name=$folder/headgate_$version${debug:+_debug}
work=$folder/work
rm -rf "$work" "$name".*
mkdir -p "$work"/{packages,loaders,initrd}
tree=$work/root

# Installing these would change the boot loader of this machine.
(cd "$work/loaders" && quietly apt-get -o APT::Sandbox::User=root download systemd-boot-efi syslinux syslinux-common extlinux)
for package in "$work/loaders"/*.deb; do dpkg-deb --extract "$package" "$work/loaders/tree"; done

# --- The root file system
packages=${packages:-$work/packages.tar}
if [[ ! -f $packages ]]; then make_packages; fi
say "Making the root file system"
mkdir "$tree"
tar --extract --file "$packages" --directory "$tree" --same-owner --xattrs --xattrs-include='*'
kernel=$(basename "$tree/lib/modules"/*)
dpkg-query --admindir="$tree/var/lib/dpkg" --show --showformat='${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n' |
  sort >"$work/packages.tsv"
/usr/bin/python3 -B "$root/images/sbom.py" "$work/packages.tsv" "$root" "$version" >"$name.spdx.json"
"$here/trim.sh" "$tree"
cp -R --no-preserve=ownership "$here/overlay/." "$tree/"
if [[ -n $overlay ]]; then cp -R --no-preserve=ownership "$overlay/." "$tree/"; fi
install -m 755 "$work/loaders/tree/usr/bin/extlinux" "$tree/usr/lib/headgate/extlinux"
if [[ -n $signers ]]; then install -m 644 "$signers" "$tree/usr/share/headgate/release-signers"; fi
printf '%s\n' IMAGE_ID=headgate "IMAGE_VERSION=$version" >>"$tree/usr/lib/os-release"
printf 'flush ruleset\ninclude "/usr/share/headgate/headgate.nft"\n' >"$tree/etc/nftables.conf"
echo headgate >"$tree/etc/hostname"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
: >"$tree/etc/machine-id"
mkdir -p "$tree/efi"
quietly systemctl --root="$tree" preset-all
quietly systemctl --root="$tree" set-default multi-user.target
quietly systemctl --root="$tree" mask systemd-firstboot.service getty@.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer fstrim.timer dev-hugepages.mount dev-mqueue.mount sys-kernel-{config,debug,tracing}.mount \
  sys-fs-fuse-connections.mount systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
if [[ -n $debug ]]; then
  mkdir -p "$tree/etc/systemd/system/serial-getty@ttyS0.service.d"
  printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %%I linux\n' \
    >"$tree/etc/systemd/system/serial-getty@ttyS0.service.d/debug.conf"
else
  quietly systemctl --root="$tree" mask serial-getty@.service
fi

# --- The initrd
say "Making the initrd"
initrd=$work/initrd
mkdir -p "$initrd"/{bin,sbin,proc,sys,dev,run,sysroot,lib64,usr/bin,usr/sbin}
cp /bin/busybox "$initrd/bin/"
for applet in sh mount modprobe cat cut sed head sleep mkdir switch_root; do ln -s busybox "$initrd/bin/$applet"; done
for program in /sbin/veritysetup /sbin/blkid; do
  install -D "$tree$program" "$initrd$program"
  while read -r library; do
    [[ -e $initrd$library ]] || install -D "$(realpath "$tree$(chroot "$tree" readlink -f "$library")")" "$initrd$library"
  done < <(chroot "$tree" ldd "$program" | grep -o '/[^ ]*')
done
modules="virtio_pci virtio_blk virtio_scsi nvme sd_mod xen-blkfront hv_storvsc ahci dm_verity erofs crc32c_generic sha256_generic"
printf '%s\n' $modules >"$initrd/modules"
for module in $modules; do modprobe -d "$tree" -S "$kernel" --show-depends "$module" 2>/dev/null || true; done |
  awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
  install -D -m 644 "$file" "$initrd/lib/modules/$kernel/${file##*"/modules/$kernel/"}"
done
cp "$tree/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$initrd/lib/modules/$kernel/"
depmod --basedir "$initrd" "$kernel"
rm -f "$initrd/lib/modules/$kernel"/*.bin
install -m 755 "$here/initrd-init" "$initrd/init"
find "$initrd" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
(cd "$initrd" && find . -print0 | sort -z | cpio --null --create --format=newc --reproducible --owner=0:0 --quiet) | zstd -q -12 -T1 >"$work/initrd.zst"
cp "$tree/boot/vmlinuz-$kernel" "$work/vmlinuz"

# --- Root file system and the tree of its hashes
say "Making the verified root"
rm -rf "${tree:?}"/{boot,dev,run,tmp}/* "${tree:?}"/{initrd.img,vmlinuz}* "$tree"/var/{cache,log,lib/apt,lib/dbus,tmp}/* "$tree/etc/apt" "$tree/usr/share/doc/headgate/examples"
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
uuid_of() { sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/\1-\2-\3-\4-\5/' <<<"$1"; }
digest_of() { sha256sum <<<"$1" | cut -c1-64; }
uuid=$(uuid_of "$(digest_of "headgate $version")")
quietly mkfs.erofs -zlz4hc,9 -T"$SOURCE_DATE_EPOCH" -U"$uuid" "$name.root" "$tree"
(($(stat -c %s "$name.root") <= root_mib << 20)) || fail "The root file system is larger than its slot ($root_mib MiB)."
root_hash=$(veritysetup format --salt="$(digest_of headgate)" --uuid="$uuid" "$name.root" "$name.verity" | sed -n 's/^Root hash:[ \t]*//p')
quietly veritysetup verify "$name.root" "$name.verity" "$root_hash"

# --- Kernel, initrd and command line as one program of UEFI
command_line="roothash=$root_hash ro console=tty0 console=ttyS0,115200 panic=10 net.ifnames=0"
printf '%s' "$command_line" >"$work/command_line"
printf '%s' "$kernel" >"$work/uname"
loaders=$work/loaders/tree/usr/lib/systemd/boot/efi
/usr/bin/python3 -B "$here/unified.py" "$loaders/linuxx64.efi.stub" "$name.efi" \
  .osrel="$tree/usr/lib/os-release" .cmdline="$work/command_line" .uname="$work/uname" .linux="$work/vmlinuz" .initrd="$work/initrd.zst"
cp "$loaders/systemd-bootx64.efi" "$work/loader.efi"
if [[ -n $boot_key ]]; then
  for program in "$name.efi" "$work/loader.efi"; do
    quietly sbsign --key "$boot_key" --cert "$boot_certificate" --output "$program" "$program"
  done
fi

# --- The disk
make_disk() {
  say "Making the disk"
  esp=$work/esp
  truncate --size "${esp_mib}M" "$esp"
  quietly mkfs.vfat -F 32 -n ESP -i 48454144 --invariant "$esp"
  printf 'timeout 0\neditor no\n' >"$work/loader.conf"
  sed "s/@SLOT@/a/; s|@COMMAND_LINE@|$command_line|" "$here/syslinux-slot.cfg" >"$work/a.cfg"
  printf 'SERIAL 0 115200\nPROMPT 0\nTIMEOUT 1\nDEFAULT a\nINCLUDE a.cfg\n' >"$work/syslinux.cfg"
  touch --date="@$SOURCE_DATE_EPOCH" "$work"/* "$name".*
  mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/Linux ::/loader ::/headgate ::/headgate/a ::/syslinux
  mcopy -i "$esp" -m "$work/loader.efi" ::/EFI/BOOT/BOOTX64.EFI
  mcopy -i "$esp" -m "$name.efi" "::/EFI/Linux/headgate_$version+3.efi"
  mcopy -i "$esp" -m "$work/loader.conf" ::/loader/loader.conf
  mcopy -i "$esp" -m "$work/vmlinuz" ::/headgate/a/vmlinuz
  mcopy -i "$esp" -m "$work/initrd.zst" ::/headgate/a/initrd
  mcopy -i "$esp" -m "$work/syslinux.cfg" "$work/a.cfg" ::/syslinux/
  quietly "$work/loaders/tree/usr/bin/syslinux" --install --directory syslinux "$esp"

  truncate --size $((1 + esp_mib + tree_mib + root_mib + 1))M "$name.raw"
  quietly sfdisk --quiet "$name.raw" <<TABLE
label: gpt
label-id: $uuid
start=1MiB, size=${esp_mib}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp, uuid=$(uuid_of "$(digest_of "esp $version")"), attrs=LegacyBIOSBootable
size=${tree_mib}MiB, type=2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5, name=headgate_${version}_verity, uuid=$(uuid_of "${root_hash:32:32}"), attrs="GUID:60"
size=${root_mib}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=headgate_$version, uuid=$(uuid_of "${root_hash:0:32}"), attrs="GUID:60"
TABLE
  put() { dd if="$1" of="$name.raw" bs=1M seek="$2" conv=notrunc,sparse status=none; }
  put "$esp" 1
  put "$name.verity" $((1 + esp_mib))
  put "$name.root" $((1 + esp_mib + tree_mib))
  dd if="$work/loaders/tree/usr/lib/SYSLINUX/gptmbr.bin" of="$name.raw" bs=440 count=1 conv=notrunc status=none
  quietly qemu-img convert -c -O qcow2 "$name.raw" "$name.qcow2"
}
if [[ -z $upgrade ]]; then make_disk; fi

# --- What an upgrade brings: the two halves of a slot and what boots it
echo "$root_hash" >"$work/roothash"
echo "$version" >"$work/version"
mkdir -p "$work/upgrade"
cp "$work"/{vmlinuz,roothash,version,command_line} "$work/upgrade/"
cp "$work/initrd.zst" "$work/upgrade/initrd"
cp "$name.root" "$work/upgrade/root"
cp "$name.verity" "$work/upgrade/verity"
cp "$name.efi" "$work/upgrade/efi"
(cd "$work/upgrade" && sha256sum command_line efi initrd root roothash verity version vmlinuz >SHA256SUMS)
[[ -z $sign_key ]] || (cd "$work/upgrade" && quietly ssh-keygen -Y sign -f "$sign_key" -n headgate-image SHA256SUMS)
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work/upgrade" -cf "$name.upgrade" .
rm -f "$name.root" "$name.verity" "$name.efi"
cd "$folder"
sums=SHA256SUMS${debug:+_debug}
(cd "$folder" && sha256sum "$(basename "$name")".*) >"$sums"
if [[ -n $sign_key ]]; then
  rm -f "$sums.sig"
  quietly ssh-keygen -Y sign -f "$sign_key" -n headgate-image "$sums"
fi
rm -rf "$work"
made_last=$name.$([[ -n $upgrade ]] && echo upgrade || echo qcow2)
say "Made: $made_last ($(stat -c %s "$made_last") octets)"
