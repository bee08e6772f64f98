import { following, journalId, onDisk, serving } from './broker.js';
import { highest, isReplaced, NAMES, other, SIDES, type Side, type World } from './model.js';

/** The promises, seen from outside. */
export function problemIn(world: World): string | null {
  for (const side of SIDES) {
    const problem = lackOf(world, side) ?? lackOfMember(world, side) ?? unfenced(world, side);
    if (problem !== null) return problem;
  }
  for (const a of world.acked) {
    const twin = world.acked.find((b) => b !== a && b.position === a.position && b.term !== a.term);
    if (twin !== undefined) return `position ${a.position} was acknowledged in terms ${a.term} and ${twin.term}`;
  }
  const terms = world.servers.map((s) => (s.up && serving(s.broker) !== null ? s.broker.current : 0));
  // A promotion on another share may use a number that is used on the one before: the operator has accepted that.
  const isForced = world.promotion !== null && world.promotion.term === terms[0];
  if (terms[0] !== 0 && terms[0] === terms[1] && !isForced) return `both servers serve in term ${terms[0]}`;
  return null;
}

/** Nothing acknowledged is missing where somebody serves in a later term. */
function lackOf(world: World, side: Side): string | null {
  const { broker, up } = world.servers[side];
  if (!up || serving(broker) === null) return null;
  const lacks = world.acked.find((a) => a.within < broker.current && broker.log[a.position - 1] !== a.term);
  return lacks === undefined ? null : `${NAMES[side]} serves in term ${broker.current} without the acknowledged record ${lacks.position} of term ${lacks.term}`;
}

/** A copy that the highest record names has everything that was acknowledged up to then, durably: it may serve next, alone. One that is named alone has it on its disk. */
function lackOfMember(world: World, side: Side): string | null {
  const { broker } = world.servers[side];
  const record = highest(world.share);
  if (record === null || broker.damaged || world.servers[other(side)].broker.journal === broker.journal) return null;
  if (!record.inSync.some((m) => m.server === NAMES[side] && m.journal === journalId(broker.journal))) return null;
  if (isReplaced(world, world.servers[side])) return null;
  // A disk was put back, and what is known of the term reaches further: such a copy may not serve, and need not be whole.
  const { watermark } = world;
  const isOfThis = watermark?.term === record.term || record.inSync.length > 1;
  if (watermark !== null && watermark.term >= record.term - 1 && broker.durable < Math.max(record.position, isOfThis ? watermark.position : 0)) return null;
  const kept = record.inSync.length === 1 ? onDisk(broker) : broker.durable;
  if (kept < record.position) return `${NAMES[side]} counts in term ${record.term}, but its log does not reach position ${record.position}`;
  const lacks = world.acked.find((a) => a.within <= record.term && (a.position > kept || broker.log[a.position - 1] !== a.term));
  return lacks === undefined ? null : `${NAMES[side]} counts in term ${record.term} without the acknowledged record ${lacks.position} of term ${lacks.term}`;
}

/** R4: from the moment that a claim to serve alone is sent, nobody gets an acknowledgement out of the broker in the term before. */
function unfenced(world: World, side: Side): string | null {
  const { asked, broker, up } = world.servers[side];
  if (!up || asked === null || asked.inSync.length !== 1) return null;
  const speaks = broker.on || (following(broker) !== null && broker.link !== null);
  return speaks ? `${NAMES[side]} has sent its claim of term ${asked.term}, and its broker still ${broker.on ? 'serves' : 'copies'}` : null;
}
