#!/usr/bin/env node
import { buildProgram, run } from './program.js';
import { systemConsole } from './console.js';

/**
 * A server that has stopped ends by itself within this time, or is ended: a killed child process that a hung mount holds in the kernel would keep it
 * for as long as that lasts. (What hangs in a thread of this very process, as a look-up of a silent name service, keeps it all the same.)
 */
const END_MS_MAX = 1_000;

process.exitCode = await run(buildProgram(systemConsole), process.argv.slice(2), systemConsole, process.env['LOCKSTEP_DEBUG'] === '1');
if (process.argv[2] === 'start') setTimeout(() => process.exit(), END_MS_MAX).unref();
