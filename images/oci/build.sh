#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the container image without a registry: a base of Debian packages, the package of the release binary, the image.
set -euo pipefail
# shellcheck source=images/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../common.sh"

help() {
  cat <<'HELP'
usage: images/oci/build.sh [--compile] [FOLDER]

Makes FOLDER/headgate-oci.tar (FOLDER is build/images/oci) of build/release/headgate, with buildah: the image
localhost/headgate:VERSION. The base comes from this machine's Debian archive by mmdebstrap; no registry is asked. As root.

  --compile   compile in the image's first stage, as `docker build` does, instead of taking build/release/headgate

  podman load -i build/images/oci/headgate-oci.tar      docker load -i …
HELP
}

compile='' folder=$made/oci
while (($#)); do
  case $1 in
    --compile) compile=1 ;;
    -h | --help) help && exit ;;
    -*) fail "unknown option '$1'" "images/oci/build.sh --help" ;;
    *) folder=$1 ;;
  esac
  shift
done
((EUID == 0)) || fail "Making a file system of packages needs root."
need mmdebstrap buildah
version=$(project_version)
SOURCE_DATE_EPOCH=$(source_date_epoch)
export SOURCE_DATE_EPOCH
mkdir -p "$folder"

lists=$(debian_lists)
base=$folder/base.tar
if [[ ! -f $base || $lists != "$(cat "$folder/base.lists" 2>/dev/null)" || -n $(find "$base" -mtime +0) ]]; then
  say "Making the base of Debian packages (kept for a day: $base)"
  rm -f "$folder/base.lists"
  quietly mmdebstrap --mode=root --variant=minbase --include=ca-certificates \
    --aptopt='APT::Install-Recommends "false"' --customize-hook='rm -rf "$1"/var/cache/* "$1"/var/log/*' \
    bookworm "$base" - <<<"$lists"
  printf '%s\n' "$lists" >"$folder/base.lists"
fi

# A storage of its own: nothing of the machine's containers is seen or changed.
storage=$folder/storage
rm -rf "$storage"
trap 'rm -rf "$storage"' EXIT
buildah=(buildah --storage-driver vfs --root "$storage/root" --runroot "$storage/run")
container=$("${buildah[@]}" --log-level error from scratch)
quietly "${buildah[@]}" add "$container" "$base" /
quietly "${buildah[@]}" commit --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" localhost/headgate-base

package=''
if [[ -z $compile ]]; then
  "$root/images/deb/build.sh" "$made/deb"
  package=build/images/deb/headgate_${version}_$(dpkg --print-architecture).deb
fi
say "Making the image localhost/headgate:$version"
# Docker's format, as OCI's has no HEALTHCHECK.
quietly "${buildah[@]}" bud --isolation chroot --pull=never --format docker --timestamp "$SOURCE_DATE_EPOCH" \
  --ulimit nofile=20000:20000 --build-arg BASE=localhost/headgate-base --build-arg PACKAGE="$package" \
  --build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" -f "$root/images/oci/Containerfile" -t "localhost/headgate:$version" "$root"
# What is in it: a record for each Debian package that a file of it comes from.
container=$("${buildah[@]}" from --pull=never "localhost/headgate:$version")
tree=$("${buildah[@]}" mount "$container")
/usr/bin/python3 -B "$root/images/sbom.py" "$tree/var/lib/dpkg/status.d" "$root" "$version" >"$folder/headgate-oci.spdx.json"
quietly "${buildah[@]}" rm "$container"
rm -f "$folder/headgate-oci.tar"
quietly "${buildah[@]}" push "localhost/headgate:$version" "docker-archive:$folder/headgate-oci.tar:localhost/headgate:$version"
say "Made: $folder/headgate-oci.tar ($(stat -c %s "$folder/headgate-oci.tar") octets)"
