/** The two kinds of share that docs/operations.md describes. */
export type ShareKind = 'nfs' | 'smb';

export const SHARE_FOLDER = '/mnt/share';
export const GATEWAY_PORTS: Readonly<Record<ShareKind, number>> = { nfs: 2049, smb: 445 };
export const SHARE_PASSWORD = 'lab-share-password';
const CREDENTIALS = '/run/smb-credentials';

/** As docs/operations.md recommends them. */
const OPTIONS: Readonly<Record<ShareKind, string>> = {
  nfs: 'rw,soft,timeo=20,retrans=2,lookupcache=none,actimeo=0',
  smb: `rw,vers=3.1.1,cache=none,actimeo=0,nolease,soft,credentials=${CREDENTIALS}`,
};

/** Options under which a read can be stale, or a call can hang, and what `lockstep check` must find of them. */
export const UNWISE_OPTIONS: Readonly<Record<ShareKind, readonly { readonly options: string; readonly level: 'FAILS' | 'WARNING'; readonly finding: RegExp }[]>> = {
  nfs: [
    { options: 'rw,soft,timeo=20,retrans=2', level: 'FAILS', finding: /attributes are cached/i },
    { options: 'rw,soft,timeo=20,retrans=2,actimeo=0', level: 'FAILS', finding: /lookups are cached/i },
    { options: 'rw,soft,timeo=20,retrans=2,lookupcache=none,actimeo=0,nocto', level: 'FAILS', finding: /nocto/i },
    { options: 'rw,lookupcache=none,actimeo=0', level: 'WARNING', finding: /mounted hard/i },
  ],
  smb: [
    { options: `rw,vers=3.1.1,nolease,soft,credentials=${CREDENTIALS}`, level: 'FAILS', finding: /contents are cached/i },
    { options: `rw,vers=3.1.1,cache=none,nolease,soft,credentials=${CREDENTIALS}`, level: 'FAILS', finding: /attributes are cached/i },
    { options: `rw,vers=3.1.1,cache=none,actimeo=0,nolease,hard,credentials=${CREDENTIALS}`, level: 'WARNING', finding: /mounted hard/i },
    { options: `rw,vers=3.1.1,cache=none,actimeo=0,soft,credentials=${CREDENTIALS}`, level: 'WARNING', finding: /leases are kept/i },
  ],
};

/** The shell command that mounts the gateway's share on a server. */
export function mountCommand(kind: ShareKind, gateway: string, options = OPTIONS[kind]): string {
  if (kind === 'nfs') return `mount -t nfs4 -o ${options} ${gateway}:/ ${SHARE_FOLDER}`;
  return `(umask 077; printf 'username=root\\npassword=%s\\n' ${SHARE_PASSWORD} > ${CREDENTIALS}); mount -t cifs -o ${options} //${gateway}/lockstep ${SHARE_FOLDER}`;
}
