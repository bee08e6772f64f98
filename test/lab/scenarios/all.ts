import type { Scenario } from '../scenario.js';
import { CLOCK_SCENARIOS } from './clock.js';
import { HOST_SCENARIOS } from './hosts.js';
import { NETWORK_SCENARIOS } from './network.js';
import { OPERATOR_SCENARIOS } from './operator.js';
import { SHARE_SCENARIOS } from './share.js';

/** The long form's scenarios, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [...HOST_SCENARIOS, ...CLOCK_SCENARIOS, ...NETWORK_SCENARIOS, ...SHARE_SCENARIOS, ...OPERATOR_SCENARIOS];
