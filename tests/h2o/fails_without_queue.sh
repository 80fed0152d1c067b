#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that every test of the patch queue that is not a guard fails without the patches.
# usage: fails_without_queue.sh [BUILD [FILES]]
#   BUILD  where to build the test server against Debian's tree as it is (default: build/h2o_without)
#   FILES  the downloaded source package (default: build/sources/.files/h2o, where ./dev setup leaves it)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:-$root/build/h2o_without}
files=${2:-$root/build/sources/.files/h2o}

shopt -s nullglob
dsc=("$files"/*.dsc)
if ((${#dsc[@]} != 1)); then
  echo "fails_without_queue.sh: there is no source package of h2o in $files. Run: ./dev setup" >&2
  exit 1
fi
# Unpacked anew only when it is another version: the build is incremental.
if [[ ! -d $build/tree || "$(cat "$build/version" 2>/dev/null)" != "${dsc[0]##*/}" ]]; then
  rm -rf "$build/tree"
  mkdir -p "$build"
  dpkg-source --no-check --no-copy -x "${dsc[0]}" "$build/tree" >/dev/null
  printf '%s' "${dsc[0]##*/}" >"$build/version"
fi

launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S "$here" -B "$build/cmake" -G Ninja -DHEADGATE_H2O_SOURCE="$build/tree" "${launcher[@]}" >/dev/null
cmake --build "$build/cmake" --target h2o_test_server >/dev/null

# What never comes without a patch is waited for no longer than this.
export H2O_TEST_TIMEOUT=${H2O_TEST_TIMEOUT:-3}
exec /usr/bin/python3 -m pytest -p no:cacheprovider -q -n 8 "$here" "--server=$build/cmake/h2o_test_server" --without-queue
