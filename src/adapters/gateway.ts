import { promises as dns } from 'node:dns';
import net from 'node:net';
import type { Endpoint } from '../core/control/broker.js';
import type { GatewayProbe } from '../ports/gateway.js';
import type { Log } from '../ports/log.js';
import { IcmpEcho, loadNetPing, type NetPing } from './icmp.js';
import { systemCode } from './network-errors.js';
import { PingProgram, runPing, type RunPing } from './ping-program.js';

export interface GatewayOptions {
  /** The gateway machine; port 0: ask by ICMP only. */
  readonly gateway: Endpoint;
  readonly log: Log;
  /** Default: the optional package net-ping. Rejects where it cannot be had. */
  readonly loadIcmp?: () => Promise<NetPing>;
  /** Default: the system's program `ping`. Asked where `loadIcmp` comes to nothing. */
  readonly runPing?: RunPing;
  /** The address of a name. Default: the system's own look-up. */
  readonly lookUp?: (host: string) => Promise<string>;
}

/** Which way an answer came. */
export interface GatewayWays {
  readonly icmp: boolean;
  /** `null`: the port is 0, so it was not asked. */
  readonly tcp: boolean | null;
}

export interface ClosableGatewayProbe extends GatewayProbe {
  /** As `probe`, but waits for both ways (`timeoutMs` at most, after as much for the look-up of a name), for a diagnosis. Not while a probe is under way. Never rejects. */
  probeEach(timeoutMs: number): Promise<GatewayWays>;
  /** Gives the raw socket back, and ends a `ping` that runs; the process can then end by itself. */
  close(): void;
}

/** Answers of a machine that is alive, though not in the way that was hoped for. */
const ANSWERS: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET']);

/**
 * Asks by ICMP echo and by a TCP connection at once; one answer is enough. Where net-ping cannot be had (not compiled, no right to raw
 * sockets) the system's program `ping` is run, and where that cannot work either TCP alone is asked; which of them is logged once. Must be made in a process's main thread.
 */
export function createGatewayProbe(options: GatewayOptions): ClosableGatewayProbe {
  return new Gateway(options);
}

class Gateway implements ClosableGatewayProbe {
  private readonly icmp: IcmpEcho;
  /** In the place of net-ping. */
  private program: PingProgram | null = null;
  private address: string | null = null;
  /** One look-up at a time: a name service that is silent would have them pile up before those of others. */
  private lookUp: Promise<string> | null = null;
  private underWay: Promise<boolean> | null = null;

  constructor(private readonly options: GatewayOptions) {
    this.icmp = new IcmpEcho(options.loadIcmp ?? loadNetPing, (reason) => this.withoutNetPing(reason));
  }

  /** While a probe is under way, a second caller gets that one's answer. */
  probe(timeoutMs: number): Promise<boolean> {
    this.underWay ??= this.ask(timeoutMs).finally(() => (this.underWay = null));
    return this.underWay;
  }

  async probeEach(timeoutMs: number): Promise<GatewayWays> {
    const { port } = this.options.gateway;
    const address = await within(timeoutMs, this.resolved().catch(() => null), null);
    if (address === null) return { icmp: false, tcp: port === 0 ? null : false };
    const [icmp, tcp] = await Promise.all([within(timeoutMs, this.askIcmp(address, timeoutMs), false), port === 0 ? null : askTcp(address, port, timeoutMs)]);
    return { icmp, tcp };
  }

  close(): void {
    this.icmp.close();
    this.program?.close();
  }

  private async ask(timeoutMs: number): Promise<boolean> {
    const attempt = { over: false };
    const answer = await within(timeoutMs, this.either(timeoutMs, attempt), false);
    attempt.over = true;
    // A name may have moved to another address: look it up again after a silence.
    if (!answer) this.address = null;
    return answer;
  }

  private async either(timeoutMs: number, attempt: { readonly over: boolean }): Promise<boolean> {
    const { port } = this.options.gateway;
    let address: string;
    try {
      address = await this.resolved();
    } catch {
      return false; // a name that cannot be resolved is a gateway that cannot be heard
    }
    if (attempt.over) return false; // the next probe asks
    const ways = [this.askIcmp(address, timeoutMs)];
    if (port !== 0) ways.push(askTcp(address, port, timeoutMs));
    return await firstTrue(ways);
  }

  private async askIcmp(address: string, timeoutMs: number): Promise<boolean> {
    // What net-ping has in its place is there once net-ping was asked in vain.
    if (this.program === null && (await this.icmp.ask(address, timeoutMs))) return true;
    return this.program !== null && (await this.program.ask(address, timeoutMs));
  }

  private async resolved(): Promise<string> {
    const { host } = this.options.gateway;
    this.address ??= net.isIP(host) === 0 ? await this.resolve(host) : host;
    return this.address;
  }

  private resolve(host: string): Promise<string> {
    const lookUp = this.options.lookUp ?? (async (name: string) => (await dns.lookup(name)).address);
    this.lookUp ??= lookUp(host).finally(() => (this.lookUp = null));
    return this.lookUp;
  }

  private withoutNetPing(reason: string): void {
    const { gateway, log } = this.options;
    this.program = new PingProgram(this.options.runPing ?? runPing, {
      usable: () => log.write('info', `the gateway ${gateway.host} is asked for ICMP by the program ping, one process each time: net-ping is not available (${reason})`),
      unavailable: (why) => this.withoutIcmp(`net-ping: ${reason}; the program ping: ${why}`),
    });
  }

  private withoutIcmp(reason: string): void {
    const { host, port } = this.options.gateway;
    if (port !== 0) this.options.log.write('info', `the gateway ${host} is asked by TCP port ${port} only: ICMP is not available (${reason})`);
    else this.options.log.write('error', `the gateway ${host} cannot be asked at all: ICMP is not available (${reason}) and the gateway port is 0; set gatewayServerPort to a TCP port of that machine`);
  }
}

/** `otherwise` when it is not settled in time. */
async function within<T>(timeoutMs: number, answer: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), timeoutMs);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
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

