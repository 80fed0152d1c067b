#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: images/vm/trim.sh TREE
#
# Takes out of a root file system what an appliance has no use for: what is not there is not hashed, sent or attacked. A few packages bring
# much that only other machines need; the rest of them stays as Debian made it.
set -euo pipefail
tree=${1:?usage: images/vm/trim.sh TREE}
kernel=$(basename "$tree/lib/modules"/*)

# Perl is there for packages that are being installed, and for commands of git that nobody gives here.
grep -rlIE '^#! ?/usr/bin/(env )?perl' "$tree"/usr/{bin,sbin,lib/git-core} | xargs -r rm
rm -rf "$tree"/usr/share/perl* "$tree"/usr/lib/x86_64-linux-gnu/{perl*,libperl.so*} "$tree"/usr/bin/perl* "$tree/etc/perl"

# Git fetches. It serves nobody, pushes nothing and sends no mail.
(cd "$tree/usr/lib/git-core" && rm -f git-http-{push,fetch,backend} git-imap-send git-daemon git-shell git-instaweb git-gui* scalar mergetools/*)
rm -rf "$tree"/usr/bin/{scalar,git-shell} "$tree"/usr/share/{git-core/contrib,gitweb,git-web}

# What a database of hardware knows of keyboards and cards; character sets; Hyperscan without its compiler.
rm -rf "$tree"/usr/lib/udev/hwdb.{bin,d} "$tree/etc/udev/hwdb.bin" "$tree"/usr/lib/x86_64-linux-gnu/{gconv,libhs_runtime.so*}

# Drivers of what a virtual machine has not, and file systems and protocols that an edge does not speak.
(
  cd "$tree/lib/modules/$kernel/kernel"
  rm -rf drivers/{comedi,infiniband,target,hid,vfio,vhost,media,iio,staging,firewire,nvdimm,pcmcia,usb,bluetooth,gpu,isdn} sound \
    fs/{xfs,btrfs,nfs,nfs_common,nfsd,smb,ceph,orangefs,lockd,cachefiles,fscache,ocfs2,gfs2,f2fs,jfs,reiserfs,hfs,hfsplus,minix,ufs,udf,afs,9p,dlm,ubifs,nilfs2,ksmbd} \
    net/{sunrpc,bridge,sctp,ceph,tipc,smc,rds,openvswitch,dccp,l2tp,9p,wireless,mac80211,bluetooth,can,atm,ieee802154,batman-adv,nfc}
)
depmod --basedir "$tree" "$kernel"
