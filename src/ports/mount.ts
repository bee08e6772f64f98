/** How the share is mounted here, and whether reads through that mount can be believed. */
export interface MountReport {
  /** As the kernel calls it: `nfs4`, `cifs`, `ext4` … */
  readonly fsType: string;
  /** What is mounted: `gateway:/export`, `//gateway/share`, a device. */
  readonly source: string;
  readonly mountPoint: string;
  /** What is written there is kept by another host. */
  readonly isNetwork: boolean;
  /** `refuse`: a read may be stale. `warn`: right, but slower, riskier for liveness, or only for trying out. */
  readonly verdict: 'good' | 'warn' | 'refuse';
  /** Each a sentence for the operator. */
  readonly findings: readonly string[];
}

export interface MountInspector {
  /** `null` where the system does not tell (not Linux). Rejects when the folder of the share cannot be found. */
  inspect(): Promise<MountReport | null>;
}
