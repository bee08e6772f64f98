import { fill, makeRoom } from './ballast.js';
import { Guest } from './guest.js';
import type { LabNetwork } from './network.js';
import { SHARE_PASSWORD, type ShareKind } from './share.js';
import type { Undo } from './undo.js';

/** Small, so that it is quickly full. */
const SHARE_MB = 48;
const SYSTEM_MB = 48;
const BALLAST = '/mnt/disk/ballast';

/** The machine that hosts the share, and everything that can befall it there. */
export class Gateway {
  readonly guest: Guest;

  constructor(
    folder: string,
    private readonly network: LabNetwork,
    readonly kind: ShareKind,
    undo: Undo,
  ) {
    this.guest = new Guest('gateway', folder, network, [{ name: 'disk', sizeMb: SHARE_MB }, { name: 'system', sizeMb: SYSTEM_MB }], undo);
  }

  async boot(): Promise<void> {
    await this.guest.boot();
    // The servers' root is nobody here, as root_squash has it; Samba's user is root.
    await this.guest.must('mkdir -p /mnt/disk/share && chown 65534:65534 /mnt/disk/share');
    await this.startShare();
  }

  async startShare(): Promise<void> {
    await this.guest.must(this.script('start'));
  }

  async stopShare(): Promise<void> {
    await this.guest.must(this.script('stop'));
  }

  /** As a disk does it that reports errors: under open files, at once. */
  async makeReadOnly(): Promise<void> {
    await this.guest.must('sync; echo u > /proc/sysrq-trigger; for n in $(seq 50); do grep -q " /mnt/disk ext4 ro" /proc/mounts && exit 0; sleep 0.1; done; exit 1');
  }

  async makeWritable(): Promise<void> {
    await this.guest.must('mount -o remount,rw /mnt/disk && mount -o remount,rw /mnt/system');
  }

  async fill(): Promise<void> {
    await fill(this.guest, '/mnt/disk', BALLAST);
  }

  async makeRoom(): Promise<void> {
    await makeRoom(this.guest, BALLAST);
  }

  /** Everything that stood on the share is gone; it is there, and empty. */
  async emptyShare(): Promise<void> {
    await this.guest.must('mkdir -p /mnt/disk/before && cp -a /mnt/disk/share/. /mnt/disk/before/ && find /mnt/disk/share -mindepth 1 -delete && sync');
  }

  /** The names that stand on the share. */
  async listing(): Promise<string[]> {
    return (await this.guest.must('cd /mnt/disk/share && find . -mindepth 1 | sort')).split('\n').filter((name) => name !== '');
  }

  private script(action: 'start' | 'stop'): string {
    const clients = [this.network.address('primary'), this.network.address('secondary')].join(' ');
    return `LAB_CLIENTS='${clients}' LAB_PASSWORD='${SHARE_PASSWORD}' /mnt/lab/guest/share-${this.kind}.sh ${action}`;
  }
}
