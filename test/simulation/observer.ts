import type { BrokerOrder } from '../../src/core/control/broker.js';
import type { KeeperOrder } from '../../src/core/control/keeper.js';
import type { LogLevel } from '../../src/ports/log.js';
import type { HostName } from './faults.js';

/** Hears what both servers say to their operators and what their managers order. It changes nothing. */
export interface Observer {
  says(server: HostName, level: LogLevel, message: string): void;
  /** Orders come again and again; most are no news. */
  ordersBroker(server: HostName, order: BrokerOrder): void;
  ordersKeeper(server: HostName, order: KeeperOrder): void;
}
