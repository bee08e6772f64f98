#!/bin/bash
# Samba of a gateway guest: start | stop. LAB_PASSWORD: of the user lockstep's mount (root).
set -e
state=/mnt/system/samba

start() {
  mkdir -p "$state"/{private,lock,state,cache} /run/samba
  cat > "$state/smb.conf" <<END
[global]
server role = standalone
server min protocol = SMB3_11
disable netbios = yes
smb ports = 445
private dir = $state/private
lock directory = $state/lock
state directory = $state/state
cache directory = $state/cache
pid directory = /run/samba
ncalrpc dir = /run/samba/ncalrpc
log file = /run/samba/log
passdb backend = tdbsam
load printers = no
printing = bsd
printcap name = /dev/null
[lockstep]
path = /mnt/disk/share
read only = no
END
  printf '%s\n%s\n' "$LAB_PASSWORD" "$LAB_PASSWORD" | smbpasswd -c "$state/smb.conf" -s -a root >/dev/null
  mkdir -p /var/log/samba
  setsid smbd -F --no-process-group -s "$state/smb.conf" </dev/null >/run/samba/out 2>&1 &
  for _ in $(seq 100); do
    if [ -n "$(ss -Hltn 'sport = :445')" ]; then return 0; fi
    sleep 0.1
  done
  cat /run/samba/out /run/samba/log >&2
  return 1
}

case "$1" in
  start) start ;;
  stop)
    pkill -KILL -x smbd
    while pgrep -x smbd >/dev/null; do sleep 0.1; done
    ;;
esac
