import type { Target } from './target.js';
import { admin } from './targets/admin.js';
import { backchannel } from './targets/backchannel.js';
import { control } from './targets/control.js';
import { heartbeat } from './targets/heartbeat.js';
import { journal } from './targets/journal.js';
import { mqtt } from './targets/mqtt.js';
import { profile } from './targets/profile.js';
import { records } from './targets/records.js';
import { replication } from './targets/replication.js';
import { snapshot } from './targets/snapshot.js';
import { terms } from './targets/terms.js';
import { users } from './targets/users.js';

export const TARGETS: readonly Target[] = [backchannel, control, replication, records, snapshot, mqtt, terms, heartbeat, journal, profile, users, admin];
