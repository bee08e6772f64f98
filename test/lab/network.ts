import { run } from './machine.js';
import type { Undo } from './undo.js';

/** Everybody who has an address in the lab. */
export type LabHost = 'gateway' | 'primary' | 'secondary' | 'client';

const HOST_NUMBERS: Readonly<Record<LabHost, number>> = { gateway: 10, primary: 11, secondary: 12, client: 20 };
const TAPS: Readonly<Record<Exclude<LabHost, 'client'>, string>> = { gateway: 'g', primary: 'p', secondary: 's' };
/** Reserved for benchmarks (RFC 2544): no route of a real network leads there. */
const SUBNETS = { prefix: '198.18', count: 256 } as const;

interface AddressRow {
  readonly addr_info?: readonly { readonly local?: string }[];
}

/**
 * A bridge without an address of its own, so that nothing reaches the machine or leaves it; a tap on it for each guest, and a network
 * namespace for the clients. Names carry the process id: several labs can run beside each other.
 */
export class LabNetwork {
  readonly bridge: string;
  readonly namespace: string;
  private readonly subnet: string;

  private constructor() {
    this.bridge = `lab${process.pid}`;
    this.namespace = `lab${process.pid}`;
    this.subnet = freeSubnet();
  }

  static make(undo: Undo): LabNetwork {
    const network = new LabNetwork();
    const { bridge, namespace } = network;
    undo.push(`bridge ${bridge}`, () => void run('ip', 'link', 'delete', bridge));
    run('ip', 'link', 'add', bridge, 'type', 'bridge');
    run('ip', 'link', 'set', bridge, 'up');
    for (const host of ['gateway', 'primary', 'secondary'] as const) network.makeTap(host, undo);
    undo.push(`namespace ${namespace}`, () => void run('ip', 'netns', 'delete', namespace));
    run('ip', 'netns', 'add', namespace);
    const [outside, inside] = [`${bridge}c`, `${bridge}n`];
    run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside);
    run('ip', 'link', 'set', outside, 'master', bridge, 'up');
    run('ip', 'link', 'set', inside, 'netns', namespace);
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
    run('ip', '-n', namespace, 'addr', 'add', `${network.address('client')}/24`, 'dev', inside);
    run('ip', '-n', namespace, 'link', 'set', inside, 'up');
    return network;
  }

  address(host: LabHost): string {
    return `${this.subnet}.${HOST_NUMBERS[host]}`;
  }

  mac(host: LabHost): string {
    return `02:00:00:00:00:${HOST_NUMBERS[host].toString(16).padStart(2, '0')}`;
  }

  tap(host: Exclude<LabHost, 'client'>): string {
    return `${this.bridge}${TAPS[host]}`;
  }

  private makeTap(host: Exclude<LabHost, 'client'>, undo: Undo): void {
    const tap = this.tap(host);
    undo.push(`tap ${tap}`, () => void run('ip', 'link', 'delete', tap));
    run('ip', 'tuntap', 'add', tap, 'mode', 'tap');
    run('ip', 'link', 'set', tap, 'master', this.bridge, 'up');
  }
}

/** One that no interface of this machine and no lab beside this one has: the process id begins the search, and labs differ in it. */
function freeSubnet(): string {
  const rows = JSON.parse(run('ip', '-json', 'address', 'show')) as readonly AddressRow[];
  const used = new Set(rows.flatMap((row) => (row.addr_info ?? []).map(({ local }) => local?.split('.').slice(0, 3).join('.'))));
  for (let tried = 0; tried < SUBNETS.count; tried++) {
    const subnet = `${SUBNETS.prefix}.${(process.pid + tried) % SUBNETS.count}`;
    if (!used.has(subnet)) return subnet;
  }
  throw new Error(`no subnet of ${SUBNETS.prefix}.0.0/16 is free on this machine`);
}
