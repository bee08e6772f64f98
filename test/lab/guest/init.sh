#!/bin/bash
# The first process of a guest. Words of the kernel's command line: LAB_RUN (the run's folder on the machine), LAB_ADDRESS, LAB_NAME.
# The machine's files are the guest's root, read-only; what a guest writes goes to memory or to its own disks (/dev/ubda …).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /mnt
# Before /tmp is covered: the run's folder may be in it.
mkdir -p /mnt/lab /mnt/disk /mnt/system /mnt/share
mount --bind "$LAB_RUN" /mnt/lab
for folder in /tmp /run /var/lib/nfs /var/lib/samba /var/log /var/cache; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts

# The package keeps its modules beside the usual place.
printf '#!/bin/sh\nexec modprobe -d /mnt/lab/modules "$@"\n' > /run/modprobe
chmod +x /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/run/modprobe -a sch_netem sch_ingress cls_u32 act_gact

hostname "$LAB_NAME"
ip link set lo up
ip addr add "$LAB_ADDRESS/24" dev vec0
ip link set vec0 up

# Commands come over a console, so that no cut cable is in their way: `NUMBER BASE64`, answered by `NUMBER EXITCODE BASE64`.
stty -F /dev/tty1 raw -echo
stty -F /dev/tty2 raw -echo
exec 3<>/dev/tty1
echo ready >&3
while IFS=' ' read -r number command <&3; do
  (
    exec </dev/null
    out="$(printf '%s' "$command" | base64 -d | bash 3>&- 2>&1)"
    code=$?
    printf '%s %s %s\n' "$number" "$code" "$(printf '%s' "$out" | base64 -w0)" >&3
  ) &
done
poweroff -f
