import { counted } from '../core/counted.js';
import type {
  ManagerToRepositoryKeeper, NumberedWish, ReceiveRepositories, RepositoryKeeperToManager, RepositoryOrder, RepositoryRole, RepositoryView, WishAnswer,
} from '../core/control/repository.js';
import { shown } from '../core/repository/names.js';
import type { Listener } from '../ports/stream.js';
import type { Channel } from '../ports/process.js';
import type { RepositoryConfig } from './config.js';
import { leftOutText } from './left-out.js';
import { reasonOf } from './messages.js';
import { Mirror } from './mirror.js';
import { Offering } from './offering.js';
import { failedReport } from './report.js';
import type { SyncReport } from './session.js';
import { Shelf } from './shelf.js';
import type { KeeperTools, ReceiveAuthority, SendAuthority } from './tools.js';

const LISTEN_AGAIN_MS = 5_000;

/**
 * The repository keeper: does what its latest order says, and nothing on an order that is older than the pulse limit.
 *
 * Invariants
 * - A live folder is changed only while the present order is to receive from the very run whose link brought the change, is younger than the pulse limit, and its
 *   term is above the fence. It is asked anew before each exchange, and before each single file.
 * - One sync of a repository at a time; repositories do not wait for each other.
 */
export class RepositoryKeeper {
  private order: RepositoryOrder | null = null;
  private readonly shelf: Shelf;
  private readonly offering: Offering;
  private readonly mirrors = new Map<string, Mirror>();
  private readonly times: Map<string, number>;
  private readonly startedAt: number;
  private readonly begun = new Set<number>();
  private readonly answers = new Map<number, WishAnswer>();
  private listener: Listener | null = null;
  private trouble: string | null = null;
  private isEnding = false;
  private isTelling = false;

  constructor(
    private readonly tools: KeeperTools,
    private readonly channel: Channel<RepositoryKeeperToManager, ManagerToRepositoryKeeper>,
    private readonly ended: (reason: string) => void,
  ) {
    this.shelf = new Shelf(tools);
    this.offering = new Offering(tools, this.shelf, () => this.sendAuthority());
    this.times = new Map(tools.memory.load());
    this.startedAt = tools.clock.wall();
  }

  start(): void {
    this.channel.handle({ message: ({ order }) => this.obey(order), closed: (reason) => this.end(reason) });
    this.listen();
    this.tell();
  }

  private listen(): void {
    const { config, network, clock, log } = this.tools;
    network.listen(config.listen, (stream) => this.offering.accept(stream)).then(
      (listener) => {
        if (this.isEnding) return listener.close();
        if (this.trouble !== null) log.write('info', 'ha.repositoryPort: the repository port is bound now');
        this.listener = listener;
        this.trouble = null;
        this.tell();
      },
      (error: unknown) => {
        const trouble = `ha.repositoryPort: the repository port cannot be bound: ${reasonOf(error)}`;
        if (trouble !== this.trouble) log.write('error', trouble);
        this.trouble = trouble;
        this.tell();
        clock.after(LISTEN_AGAIN_MS, () => {
          if (!this.isEnding) this.listen();
        });
      },
    );
  }

  private obey(order: RepositoryOrder): void {
    if (this.isEnding) return;
    this.order = order;
    if (order.shutdown) return this.end('ordered');
    const { role } = order;
    this.receive(role.kind === 'receive' ? role : null);
    this.offering.giveWay(order.messagesFlow);
    this.offering.set(role.kind === 'send' ? role : null);
    this.takeWishes(order);
    this.say();
  }

  private receive(role: ReceiveRepositories | null): void {
    for (const [name, mirror] of this.mirrors) {
      if (role !== null && mirror.isFrom(role.from) && role.from.names.includes(name)) continue;
      this.mirrors.delete(name);
      mirror.stop(role === null ? 'this server does not receive any more' : 'it is received from another run of the peer now');
    }
    if (role === null) return;
    for (const config of this.tools.config.repositories) {
      if (!role.from.names.includes(config.name) || this.mirrors.has(config.name)) continue;
      this.mirrors.set(config.name, this.mirrorOf(config, role.from));
    }
  }

  private mirrorOf(config: RepositoryConfig, from: ReceiveRepositories['from']): Mirror {
    const { tools, shelf } = this;
    return new Mirror({
      tools,
      shelf,
      config,
      from,
      authority: () => this.receiveAuthority(),
      changed: () => this.tell(),
      synced: (at) => this.synced(config.name, at),
      answer: (wish, report) => this.answer(wish, report),
    });
  }

  private synced(name: string, at: number): void {
    this.times.set(name, at);
    this.tools.memory.keep(this.times);
  }

  private get isYoung(): boolean {
    return this.order !== null && !this.isEnding && this.tools.clock.monotonic() - this.order.pulseAt <= this.tools.config.pulseLimitMs;
  }

  private receiveAuthority(): ReceiveAuthority {
    const { order } = this;
    if (order === null || order.role.kind !== 'receive' || !this.isYoung || order.role.term <= order.fenceThrough) return null;
    const { term, from } = order.role;
    return { from: { server: from.server, run: from.run }, term, fencedThrough: order.fenceThrough };
  }

  private sendAuthority(): SendAuthority {
    const { order } = this;
    if (order === null || order.role.kind !== 'send' || !this.isYoung || order.role.term <= order.fenceThrough) return null;
    return { peer: order.role.to, term: order.role.term };
  }

  private takeWishes(order: RepositoryOrder): void {
    const wanted = new Set(order.wishes.map(({ id }) => id));
    for (const id of this.begun) {
      if (wanted.has(id)) continue;
      this.begun.delete(id);
      this.answers.delete(id);
    }
    for (const wish of order.wishes) {
      if (this.begun.has(wish.id)) continue;
      this.begun.add(wish.id);
      this.grant(wish, order.role);
    }
  }

  private grant(wish: NumberedWish, role: RepositoryRole): void {
    if (wish.ask === 'restore') return void this.restore(wish);
    if (role.kind === 'send') return this.offering.ask(wish, (report) => this.answer(wish, report));
    const mirror = this.mirrors.get(wish.repository);
    if (mirror === undefined) return this.answer(wish, 'it is neither sent nor received now');
    mirror.ask(wish);
  }

  private async restore(wish: NumberedWish & { readonly ask: 'restore' }): Promise<void> {
    const { clock, config, log } = this.tools;
    const fields = { event: 'repository-restore', repository: wish.repository, version: wish.version };
    const of = config.repositories.find(({ name }) => name === wish.repository);
    const begun = clock.monotonic();
    try {
      if (of === undefined) throw new Error('there is no such repository');
      const store = await this.shelf.open(of);
      const term = this.order?.role.kind === 'send' ? this.order.role.term : (0 as ReceiveRepositories['term']);
      const mayChange = (): boolean => this.isYoung && this.order?.role.kind !== 'receive';
      const files = await store.restore(wish.version, wish.paths, { term, mayChange, reason: `restore of ${wish.version}`, at: clock.wall() });
      this.shelf.look(wish.repository);
      this.offering.hint({ repository: wish.repository, purpose: 'sync', folders: null });
      log.write('info', `Repository ${wish.repository}: ${counted(files, 'file')} of the kept version ${shown(wish.version)} put back, as an operator had asked`, { ...fields, files });
      this.answer(wish, { ...failedReport(wish.repository, 'sync', ''), outcome: 'changed', detail: null, files, elapsedMs: Math.round(clock.monotonic() - begun) });
    } catch (error) {
      const why = reasonOf(error);
      log.write('warn', `Repository ${wish.repository}: the restore of the kept version ${shown(wish.version)} that an operator asked for has failed: ${why}`, { ...fields, why });
      this.answer(wish, why);
    }
  }

  private answer(wish: NumberedWish, report: SyncReport | string): void {
    if (!this.begun.has(wish.id)) return;
    const { outcome, detail, leftOut, files, bytes, wireBytes, elapsedMs, kept, differences, differencesTotal } = typeof report === 'string' ? failedReport(wish.repository, 'sync', report) : report;
    const notes = [detail, leftOut.length === 0 ? null : leftOutText(leftOut)].filter((one) => one !== null);
    this.answers.set(wish.id, { id: wish.id, outcome, detail: notes.join('; ') || null, files, bytes, wireBytes, elapsedMs, kept, differences, differencesTotal });
    this.tell();
  }

  /** Says how things stand, once for all that happens in one turn. */
  private tell(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    this.tools.clock.soon(() => {
      this.isTelling = false;
      this.say();
    });
  }

  private say(): void {
    if (this.isEnding) return;
    const { order, tools } = this;
    this.channel.send({
      kind: 'status',
      status: {
        run: tools.run,
        orderSeq: order?.seq ?? 0,
        listening: this.listener !== null,
        trouble: this.trouble,
        from: order?.role.kind === 'receive' ? order.role.from.run : null,
        repositories: tools.config.repositories.map((config) => this.viewOf(config)),
        answers: [...this.answers.values()],
      },
    });
  }

  private viewOf(config: RepositoryConfig): RepositoryView {
    const { name, path, syncType, when } = config;
    const mirror = this.mirrors.get(name);
    const store = this.shelf.get(name);
    return {
      name,
      path,
      syncType,
      when,
      ...(mirror === undefined ? this.unreceived(config) : { condition: mirror.condition, detail: mirror.detail, since: mirror.since }),
      syncedAt: this.times.get(name) ?? null,
      progress: mirror?.progress ?? null,
      exchange: store?.exchange ?? null,
      kept: this.shelf.kept(name),
    };
  }

  private unreceived({ used }: RepositoryConfig): Pick<RepositoryView, 'condition' | 'detail' | 'since'> {
    const since = this.startedAt;
    if (this.order?.role.kind === 'receive' && used) return { condition: 'failed', detail: 'the serving server has no repository of this name: name it in both profiles', since };
    return { condition: used ? 'idle' : 'unused', detail: null, since };
  }

  private end(reason: string): void {
    if (this.isEnding) return;
    this.isEnding = true;
    this.receive(null);
    this.offering.stop('this server stops');
    this.listener?.close();
    this.shelf.end();
    this.ended(reason);
  }
}
