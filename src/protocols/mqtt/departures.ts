/** A client whose connection has closed, and of which whole packets wait that came before that. */
export interface Departed {
  /** Another connection is about to take the client id: takes what it can now, congested or not, for one turn. */
  lastTurn(): void;
  /** Another connection has the client id: it is over. */
  superseded(): void;
}

/** Clients that are gone and not done with. They hold memory as those that are there do, so they are counted like them. */
export class Departures {
  private readonly byClientId = new Map<string, Set<Departed>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  enter(clientId: string, one: Departed): void {
    const ones = this.byClientId.get(clientId) ?? new Set();
    this.byClientId.set(clientId, ones.add(one));
    this.count += 1;
  }

  leave(clientId: string, one: Departed): void {
    const ones = this.byClientId.get(clientId);
    if (ones?.delete(one) !== true) return;
    this.count -= 1;
    if (ones.size === 0) this.byClientId.delete(clientId);
  }

  lastTurn(clientId: string): void {
    for (const one of [...(this.byClientId.get(clientId) ?? [])]) one.lastTurn();
  }

  superseded(clientId: string): void {
    for (const one of [...(this.byClientId.get(clientId) ?? [])]) one.superseded();
  }
}
