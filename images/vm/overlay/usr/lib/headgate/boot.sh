# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What starts which slot. To be sourced, behind disk.sh.
#
# UEFI: systemd-boot takes the newest version of /efi/EFI/Linux and counts its tries in the name (…+3.efi); systemd-bless-boot takes the
# counter away. One without tries left comes last.
# BIOS: syslinux starts what is its DEFAULT, or once what `extlinux --once` names; `keep_running` makes what runs the DEFAULT.
# There is no counter: a new slot has one try.
firmware() { if [[ -d /sys/firmware/efi ]]; then echo UEFI; else echo BIOS; fi; }

# letter: of syslinux's entry that runs.
letter() { if grep -q "roothash=$(running_hash)" /efi/syslinux/b.cfg 2>/dev/null; then echo b; else echo a; fi; }
other_letter() { if [[ $(letter) == a ]]; then echo b; else echo a; fi; }

# forget_other LABEL: what is written into the other slot now is not to be started.
forget_other() {
  local file
  for file in $(entries_of "$1" | cut -d' ' -f1); do rm -f "$file"; done
  rm -f /efi/headgate/next.efi
}

# entries_of LABEL: lines "FILE TRIES-LEFT" of systemd-boot; no number where none are counted. Another version may begin like this one.
entries_of() {
  local file name tries
  for file in /efi/EFI/Linux/*.efi; do
    name=$(basename "$file" .efi) tries=''
    if [[ $name =~ ^(.+)\+([0-9]+)(-[0-9]+)?$ ]]; then name=${BASH_REMATCH[1]} tries=${BASH_REMATCH[2]}; fi
    if [[ $name == "$1" && -e $file ]]; then echo "$file $tries"; fi
  done
}

# place FILE SUMS COMMAND-LINE: what boots the other slot, so that nothing starts it yet.
place() {
  local letter
  if [[ $(firmware) == UEFI ]]; then
    mkdir -p /efi/headgate
    copy "$1" efi /efi/headgate/next.efi "$2"
  else
    letter=$(other_letter)
    mkdir -p "/efi/headgate/$letter"
    copy "$1" vmlinuz "/efi/headgate/$letter/vmlinuz" "$2"
    copy "$1" initrd "/efi/headgate/$letter/initrd" "$2"
    printf 'LABEL %s\n  LINUX /headgate/%s/vmlinuz\n  INITRD /headgate/%s/initrd\n  APPEND %s\n' "$letter" "$letter" "$letter" "$3" \
      >"/efi/syslinux/$letter.cfg"
    boot_menu "$(letter)"
  fi
}

# start_next VERSION: the next boot is one of the other slot.
start_next() {
  if [[ $(firmware) == UEFI ]]; then
    mv /efi/headgate/next.efi "/efi/EFI/Linux/headgate_$1+3.efi"
  else
    /usr/lib/headgate/extlinux --once="$(other_letter)" /efi/syslinux
  fi
  sync
}

# boot_menu LETTER: what syslinux starts unless told otherwise.
boot_menu() {
  local each
  {
    printf 'SERIAL 0 115200\nPROMPT 0\nTIMEOUT 1\nDEFAULT %s\n' "$1"
    for each in a b; do if [[ -e /efi/syslinux/$each.cfg ]]; then echo "INCLUDE $each.cfg"; fi; done
  } >/efi/syslinux/syslinux.new
  sync
  mv /efi/syslinux/syslinux.new /efi/syslinux/syslinux.cfg
  sync
}

# keep_running: what runs is what starts from now on. systemd-bless-boot does so on UEFI.
keep_running() {
  if [[ $(firmware) == UEFI ]]; then return; fi
  if ! grep -qx "DEFAULT $(letter)" /efi/syslinux/syslinux.cfg; then boot_menu "$(letter)"; fi
}

# condemn_running LABEL: the tries of what runs are used up, if they are counted still. syslinux gives no second one anyway.
condemn_running() {
  local file tries
  if [[ $(firmware) != UEFI ]]; then return; fi
  read -r file tries < <(entries_of "$1") || true
  if [[ -n $tries && $tries != 0 ]]; then mv "$file" "/efi/EFI/Linux/$1+0.efi"; fi
}

# tries_left LABEL: of a slot whose tries are counted; nothing of another one.
tries_left() {
  if [[ $(firmware) == UEFI ]]; then entries_of "$1" | cut -d' ' -f2; fi
}
