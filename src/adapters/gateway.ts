import { promises as dns } from 'node:dns';
import net from 'node:net';
import type { Endpoint } from '../core/control/broker.js';
import type { GatewayProbe } from '../ports/gateway.js';
import type { Log } from '../ports/log.js';
import { IcmpEcho, loadNetPing, type NetPing } from './icmp.js';
import { systemCode } from './network-errors.js';

export interface GatewayOptions {
  /** The gateway machine; port 0: ask by ICMP only. */
  readonly gateway: Endpoint;
  readonly log: Log;
  /** Default: the optional package net-ping. Rejects where it cannot be had. */
  readonly loadIcmp?: () => Promise<NetPing>;
  /** The address of a name. Default: the system's own look-up. */
  readonly lookUp?: (host: string) => Promise<string>;
}

export interface ClosableGatewayProbe extends GatewayProbe {
  /** Gives the raw socket back; the process can then end by itself. */
  close(): void;
}

/** Answers of a machine that is alive, though not in the way that was hoped for. */
const ANSWERS: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET']);

/**
 * Asks by ICMP echo and by a TCP connection at once; one answer is enough. Where ICMP cannot be had (no compiled net-ping,
 * no right to raw sockets) this is logged once and TCP alone is asked. Must be made in a process's main thread.
 */
export function createGatewayProbe(options: GatewayOptions): ClosableGatewayProbe {
  return new Gateway(options);
}

class Gateway implements ClosableGatewayProbe {
  private readonly icmp: IcmpEcho;
  private address: string | null = null;
  /** One look-up at a time: a name service that is silent would have them pile up before those of others. */
  private lookUp: Promise<string> | null = null;
  private underWay: Promise<boolean> | null = null;

  constructor(private readonly options: GatewayOptions) {
    this.icmp = new IcmpEcho(options.loadIcmp ?? loadNetPing, (reason) => this.withoutIcmp(reason));
  }

  /** While a probe is under way, a second caller gets that one's answer. */
  probe(timeoutMs: number): Promise<boolean> {
    this.underWay ??= this.ask(timeoutMs).finally(() => (this.underWay = null));
    return this.underWay;
  }

  close(): void {
    this.icmp.close();
  }

  private async ask(timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const attempt = { over: false };
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const answer = await Promise.race([this.either(timeoutMs, attempt), tooLate]);
    attempt.over = true;
    clearTimeout(timer);
    // A name may have moved to another address: look it up again after a silence.
    if (!answer) this.address = null;
    return answer;
  }

  private async either(timeoutMs: number, attempt: { readonly over: boolean }): Promise<boolean> {
    const { host, port } = this.options.gateway;
    try {
      this.address ??= net.isIP(host) === 0 ? await this.resolve(host) : host;
    } catch {
      return false; // a name that cannot be resolved is a gateway that cannot be heard
    }
    if (attempt.over) return false; // the next probe asks
    const ways = [this.icmp.ask(this.address, timeoutMs)];
    if (port !== 0) ways.push(askTcp(this.address, port, timeoutMs));
    return await firstTrue(ways);
  }

  private resolve(host: string): Promise<string> {
    const lookUp = this.options.lookUp ?? (async (name: string) => (await dns.lookup(name)).address);
    this.lookUp ??= lookUp(host).finally(() => (this.lookUp = null));
    return this.lookUp;
  }

  private withoutIcmp(reason: string): void {
    const { host, port } = this.options.gateway;
    if (port !== 0) this.options.log.write('info', `the gateway ${host} is asked by TCP port ${port} only: ICMP is not available (${reason})`);
    else this.options.log.write('error', `the gateway ${host} cannot be asked at all: ICMP is not available (${reason}) and the gateway port is 0; set gatewayServerPort to a TCP port of that machine`);
  }
}

/** True as soon as one is; false when none was. */
function firstTrue(ways: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve) => {
    let left = ways.length;
    for (const way of ways) {
      void way.then((answer) => {
        left -= 1;
        if (answer) resolve(true);
        else if (left === 0) resolve(false);
      });
    }
  });
}

/** True when the machine accepted or refused a connection. Never rejects. */
export function askTcp(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle(false), timeoutMs);
    const socket = net.connect({ host, port });
    socket.once('connect', () => settle(true));
    socket.on('error', (error) => settle(ANSWERS.has(systemCode(error) ?? '')));
  });
}

