#!/bin/bash
# SPDX-License-Identifier: MIT
# package.sh PACKAGE FOLDER, inside of the image's first stage: FOLDER/headgate.deb is PACKAGE (a path in the repository), or,
# when that is empty, made from source.
set -euo pipefail
package=$1 folder=$2
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
mkdir -p "$folder"
if [[ -n $package ]]; then
  [[ -f $package ]] || { echo "package.sh: PACKAGE=$package is not in the build context (see .dockerignore)" >&2; exit 1; }
  cp "$package" "$folder/headgate.deb"
  exit
fi
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}
# What only tests need is not installed.
sed -i '/^# tests$/,$d' .packages
./dev setup
cmake --preset release -DBUILD_TESTING=OFF
cmake --build --preset release --target headgate
images/deb/build.sh "$folder"
mv "$folder"/headgate_*.deb "$folder/headgate.deb"
