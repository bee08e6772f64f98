#!/bin/bash
# The kernel's NFS server of a gateway guest: start | stop. LAB_CLIENTS: who may mount, as docs/operations.md writes it, hosts parted by blanks.
set -e
share=/mnt/disk/share

# fsid=0: the share itself is the root that clients see. The root above it is the machine's (hostfs), which cannot be exported.
start() {
  # Who had what open is remembered over a reboot, as on a real server.
  mkdir -p /mnt/system/nfs/v4recovery /run/rpc_pipefs
  grep -q ' /var/lib/nfs ext4 ' /proc/mounts || mount --bind /mnt/system/nfs /var/lib/nfs
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  grep -q nfsd /proc/filesystems || /run/modprobe nfsd
  mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
  # No delegations: a file that one is given for could not be written until a server that is gone has lost its lease.
  echo 0 > /proc/sys/fs/leases-enable
  # Debian's 90 s, shortened: the wait is the same, only longer there.
  echo 10 > /proc/fs/nfsd/nfsv4leasetime
  echo 10 > /proc/fs/nfsd/nfsv4gracetime
  for client in $LAB_CLIENTS; do exportfs -o rw,sync,no_subtree_check,fsid=0 "$client:$share"; done
  pidof rpc.mountd >/dev/null || rpc.mountd -N 3 >/dev/null 2>&1
  rpc.nfsd -N 3 4
}

case "$1" in
  start) start ;;
  stop) rpc.nfsd 0 ;;
esac
