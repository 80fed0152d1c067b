#!/bin/bash
# SPDX-License-Identifier: MIT
# tree.sh FOLDER: a root file system of what `headgate run` needs of this one, which has the package installed: programs and
# the libraries that they load, certificates, rules, and for each Debian package a file of it comes from its record (for
# scanners: var/lib/dpkg/status.d) and its licence.
set -euo pipefail
tree=$1
export LC_ALL=C
readonly programs=(/usr/bin/headgate /usr/bin/git /usr/lib/git-core/git-remote-http /usr/bin/ssh /usr/bin/gpgv
  /usr/bin/dash)
readonly data=(/usr/share/modsecurity-crs /etc/ssl/openssl.cnf /etc/ssh/ssh_config /etc/nsswitch.conf /etc/os-release
  /usr/lib/os-release /etc/services /etc/protocols)

# into FILE: copies it to where it is, as root's.
into() {
  local file=$1
  [[ -e $tree$file ]] || install -D --owner=0 --group=0 --mode="$(stat -Lc %a "$file")" "$file" "$tree$file"
}

# The skeleton: /bin, /lib and the like are links into /usr, as everywhere in Debian.
mkdir -p "$tree"/{usr/{bin,sbin,lib,lib64},etc/ssl/certs,var/lib/dpkg/status.d,dev,proc,sys,run,root,etc/headgate}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$tree/$link"; done
ln -s ../run "$tree/var/run"
install -d -m 1777 "$tree/tmp" "$tree/var/tmp"
cat >"$tree/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/usr/sbin/nologin
headgate:x:65532:65532:Headgate CDN edge:/var/lib/headgate:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
PASSWD
printf '%s\n' root:x:0: headgate:x:65532: nogroup:x:65534: >"$tree/etc/group"
install -d -o 65532 -g 65532 -m 0700 "$tree/var/lib/headgate"

files=()
for program in "${programs[@]}"; do
  files+=("$program")
  # "name => path (address)" or "path (address)", the loader itself
  while read -r library; do files+=("$(readlink -f "$(dirname "$library")")/$(basename "$library")"); done \
    < <(ldd "$program" | grep -o '/[^ ]*')
done
for entry in "${data[@]}"; do
  if [[ -e $entry ]]; then while read -r file; do files+=("$file"); done < <(find "$entry" ! -type d); fi
done
for file in "${files[@]}"; do into "$file"; done
ln -s dash "$tree/usr/bin/sh"
ln -s git "$tree/usr/bin/git-upload-pack"
ln -s git-remote-http "$tree/usr/lib/git-core/git-remote-https"
into /etc/ssl/certs/ca-certificates.crt
ldconfig -r "$tree"
rm -rf "$tree/var/cache"

# dpkg knows files by the names before /usr was merged, too.
for file in "${files[@]}"; do
  dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null || true
done | sed -n 's/^\([^,]*\): .*/\1/p' | sort -u >/tmp/packages
echo ca-certificates >>/tmp/packages
while read -r package; do
  name=${package%%:*}
  dpkg-query -s "$package" >"$tree/var/lib/dpkg/status.d/$name"
  if [[ -f /usr/share/doc/$name/copyright ]]; then into "/usr/share/doc/$name/copyright"; fi
done < <(sort -u /tmp/packages)

# It works: each program finds its libraries here. A file stands for the device that a container will have.
: >"$tree/dev/null"
chroot "$tree" /usr/bin/headgate --version
chroot "$tree" /usr/bin/git --version
chroot "$tree" /usr/bin/ssh -V
chroot "$tree" /usr/bin/gpgv --version
chroot "$tree" /usr/bin/sh -c 'printf "capabilities\n\n" | /usr/lib/git-core/git-remote-https origin https://host.invalid/'
rm "$tree/dev/null"
du -sh "$tree"
