import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { DiskImage } from '../../simulation/disk-image.js';
import { damages, type Damage } from '../mutate.js';
import { damagedImage, reopened, specimens, type Specimen } from '../journal-specimens.js';
import { budgetFor, metered, type Budget } from '../meter.js';
import { target } from '../target.js';

/*
 * A server's whole copy (journal.json, segments, a snapshot) after somebody or something changed its files. Held: what the contract
 * says, see `reopened`; for a single changed or missing piece, that nothing acknowledged is missing or different without a word; and that neither work nor
 * memory is more than the files that are there are good for.
 */

interface Input {
  readonly specimen: number;
  readonly files: readonly { readonly at: number; readonly damage: Damage; readonly act: 'damage' | 'remove' | 'copy' | 'swap'; readonly other: number }[];
}

const inputs: fc.Arbitrary<Input> = fc.record({
  specimen: fc.nat(99),
  files: fc.array(
    fc.record({ at: fc.nat(99), damage: damages(1, 3), act: fc.constantFrom('damage', 'damage', 'damage', 'damage', 'remove', 'copy', 'swap') as fc.Arbitrary<Input['files'][number]['act']>, other: fc.nat(99) }),
    { minLength: 1, maxLength: 2 },
  ),
});

function spoil(image: DiskImage, input: Input): void {
  const paths = image.paths();
  for (const { at, damage, act, other } of input.files) {
    const path = paths[at % paths.length] as string;
    const second = paths[other % paths.length] as string;
    if (!image.paths().includes(path) || !image.paths().includes(second)) continue;
    if (act === 'remove') image.take(path);
    else if (act === 'damage') damagedImage(image, path, damage);
    else {
      const [one, two] = [image.content(path), image.content(second)];
      image.put(second, one);
      if (act === 'swap') image.put(path, two);
    }
  }
}

const STEPS_PER_BYTE = 20;
const BYTES_PER_BYTE = 16;
/** A snapshot is read in steps of 256 KiB, whatever is in it. */
const BYTES_PER_SNAPSHOT = 256 * 1024;

function budgetOf(image: DiskImage): Budget {
  const paths = image.paths();
  const { steps, bytes } = budgetFor(paths.reduce((sum, path) => sum + image.content(path).length, 0), STEPS_PER_BYTE, BYTES_PER_BYTE);
  return { steps, bytes: bytes + BYTES_PER_SNAPSHOT * paths.filter((path) => path.endsWith('.snap')).length };
}

export const journal = target<Input>({
  name: 'journal',
  inputs,
  gateRuns: 120,
  acceptedLeast: 7,
  async holds(input) {
    const all = await specimens();
    const specimen = all[input.specimen % all.length] as Specimen;
    const image = specimen.image.copy();
    spoil(image, input);
    const { value: found } = await metered(budgetOf(image), () => reopened(specimen, image));
    if (found.kind === 'refused' || found.damage !== null) return 0;
    // Several files at once may have lost the same witness: then only that what is there is right can be asked.
    assert.ok(found.records <= specimen.records);
    return 1;
  },
});
