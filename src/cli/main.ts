#!/usr/bin/env node
import { buildProgram, run } from './program.js';
import { systemConsole } from './console.js';

process.exitCode = await run(buildProgram(systemConsole), process.argv.slice(2), systemConsole, process.env['LOCKSTEP_DEBUG'] === '1');
