import type { Row } from './row.js';
import { backlog } from './rows/backlog.js';
import { budget } from './rows/budget.js';
import { catchUp } from './rows/catch-up.js';
import { endurance } from './rows/endurance.js';
import { failovers } from './rows/failover.js';
import { fanOut, payloads, publishers, qualities, subscriptions } from './rows/loads.js';
import { idle } from './rows/idle.js';
import { mainLoad } from './rows/main-load.js';
import { manyClients } from './rows/many-clients.js';
import { persistentSession } from './rows/persistent.js';
import { queuedMessages } from './rows/queued.js';
import { slowSubscriber } from './rows/slow-subscriber.js';
import { stockClients } from './rows/stock-clients.js';

/** All rows, in the order in which they are run. */
export const ROWS: readonly Row[] = [mainLoad, budget, payloads, qualities, fanOut, publishers, subscriptions, persistentSession, ...failovers, stockClients, catchUp, queuedMessages, backlog, manyClients, slowSubscriber, idle, endurance];
