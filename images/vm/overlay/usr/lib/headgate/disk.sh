# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The slots as partitions. To be sourced.
#
# A slot is two partitions, the root file system and the tree of its hashes, whose UUIDs are the halves of the root hash that the
# kernel's command line names; its label is headgate_VERSION, or _empty.
# shellcheck disable=SC2034  # who sources this uses them
readonly memory=/var/lib/headgate-slots
readonly root_type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709 tree_type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5

say() { echo "headgate-slots: $*"; }
fail() {
  say "$*" >&2
  exit 1
}

version() {
  local line
  while read -r line; do
    if [[ $line == IMAGE_VERSION=* ]]; then echo "${line#*=}"; fi
  done </usr/lib/os-release
}
uuid() { echo "${1:0:8}-${1:8:4}-${1:12:4}-${1:16:4}-${1:20:12}"; }
running_hash() {
  local words
  words=$(</proc/cmdline)
  words=${words#*roothash=}
  echo "${words%% *}"
}

# The folder of a partition in sysfs lies in that of its disk.
the_disk() {
  local partition
  partition=$(readlink -f "/sys/class/block/$(basename "$(readlink -f /dev/disk/by-partlabel/esp)")")
  echo "/dev/$(basename "${partition%/*}")"
}

# slots_of TYPE: lines "PATH UUID LABEL" of the partitions of this type on the disk that runs. Read from the disk: of a partition that
# is in use the kernel knows the name that it had at boot.
slots_of() {
  sfdisk --dump "$(the_disk)" | awk -v type="${1^^}" '
    /type=/ && toupper($0) ~ "TYPE=" type {
      path = $1; uuid = label = $0
      sub(/.*uuid=/, "", uuid); sub(/,.*/, "", uuid)
      if (label !~ /name="/) label = "-"; else { sub(/.*name="/, "", label); sub(/".*/, "", label) }
      print path, tolower(uuid), label
    }'
}

# other TYPE RUNNING-UUID: "PATH LABEL" of the partition of the slot that does not run.
other() { slots_of "$1" | awk -v running="$2" '$2 != running { print $1, $3; exit }'; }
running_root() {
  local hash
  hash=$(running_hash)
  uuid "${hash:0:32}"
}
running_tree() {
  local hash
  hash=$(running_hash)
  uuid "${hash:32:32}"
}
other_root() { other "$root_type" "$(running_root)"; }
other_tree() { other "$tree_type" "$(running_tree)"; }

# rename_partition PATH UUID LABEL
rename_partition() {
  local number
  number=$(<"/sys/class/block/$(basename "$1")/partition")
  # The kernel learns of it when it starts again: the disk is in use.
  sfdisk --quiet --force --no-reread --no-tell-kernel --part-uuid "$(the_disk)" "$number" "$2"
  sfdisk --quiet --force --no-reread --no-tell-kernel --part-label "$(the_disk)" "$number" "$3"
}

# forget_data: the partition of the data is made anew when the machine starts again.
forget_data() {
  local path number
  path=$(readlink -f /dev/disk/by-partlabel/headgate-data)
  number=$(<"/sys/class/block/$(basename "$path")/partition")
  sfdisk --quiet --force --no-reread --no-tell-kernel --delete "$(the_disk)" "$number"
}
