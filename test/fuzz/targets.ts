import type { Target } from './target.js';
import { backchannel } from './targets/backchannel.js';
import { heartbeat } from './targets/heartbeat.js';
import { mqtt } from './targets/mqtt.js';
import { replication } from './targets/replication.js';
import { terms } from './targets/terms.js';

export const TARGETS: readonly Target[] = [backchannel, replication, mqtt, terms, heartbeat];
