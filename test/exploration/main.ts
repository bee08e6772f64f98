import { print } from '../print.js';
import { parseCommand, USAGE, WrongArguments, type Command } from './command.js';
import { BOUNDS, flawTasks, MOVES_TO_SEE, planOf, STATES_LEAST, unseen, withoutFlaw, type Outcome } from './plan.js';
import { count, exploredTable, flawTable, happenedText } from './report.js';
import { runTask, startOf } from './run-task.js';
import { runTasks } from './run-tasks.js';
import { wander } from './wander.js';

function tellFinding(problem: string, path: readonly string[]): void {
  print(`\nFOUND ${problem}\n  ${path.join('\n  ')}`);
}

function processorSeconds(): string {
  const { user, system } = process.cpuUsage();
  return ((user + system) / 1e6).toFixed(1);
}

/** True when everything is as it shall be. */
async function exploreAll(command: Command & { kind: 'all' }): Promise<boolean> {
  const { form, workers } = command;
  const told = ({ task, result }: Outcome): void => {
    if (form === 'long') print(`${task.flaw === 'none' ? '' : `${task.flaw} `}from ${task.root}: ${count(result.states)} states, depth ${result.depth}`);
  };
  const outcomes = await runTasks(planOf(form), workers, told);
  print(exploredTable(outcomes));
  const states = outcomes.reduce((n, { result }) => n + result.states, 0);
  print(`together ${count(states)} states\n`);
  print(`how often it happened: ${happenedText(outcomes)}`);
  const missing = unseen(outcomes);
  print(missing.length === 0 ? `all ${MOVES_TO_SEE.length} moves and all kinds of events were seen\n` : `NOT SEEN: ${missing.join(', ')}\n`);

  const flawed = await runTasks(flawTasks(), workers, told);
  const clean = await runTasks(flawed.map(withoutFlaw), workers, told);
  print(flawTable(flawed, clean));
  for (const { result } of [...outcomes, ...clean]) if (result.finding !== null) tellFinding(result.finding.problem, result.finding.path);
  const memory = Math.round(process.resourceUsage().maxRSS / 1_024);
  print(`\n${processorSeconds()} s of processor time, ${count(memory)} MB of memory at most`);
  const holds = [...outcomes, ...clean].every(({ result }) => result.finding === null) && states >= STATES_LEAST[form];
  return holds && flawed.every(({ result }) => result.finding !== null) && missing.length === 0;
}

function exploreOne(command: Command & { kind: 'one' }): boolean {
  const outcome = runTask({ ...command, bounds: BOUNDS });
  const { finding, moves } = outcome.result;
  print(exploredTable([outcome]));
  print(`\nmoves: ${moves.join(', ')}\nhow often it happened: ${happenedText([outcome])}`);
  if (finding !== null) tellFinding(finding.problem, finding.path);
  return (finding !== null) === (command.flaw !== 'none');
}

function walk(command: Command & { kind: 'walks' }): boolean {
  const { flaw, walks, seed } = command;
  const result = wander({ flaw, walks, firstSeed: seed, bounds: BOUNDS, from: startOf(command) });
  print(`${command.root}: ${count(result.walks)} walks, ${count(result.steps)} events, ${count(result.given)} ended with no copy that may serve, ${processorSeconds()} s of processor time`);
  print(`moves: ${[...result.moves].sort().join(', ')}`);
  for (const finding of result.findings) tellFinding(`by seed ${finding.seed}: ${finding.problem}`, finding.path);
  return (result.findings.length > 0) === (flaw !== 'none');
}

async function carryOut(command: Command): Promise<boolean> {
  switch (command.kind) {
    case 'help':
      print(USAGE);
      return true;
    case 'all':
      return exploreAll(command);
    case 'one':
      return exploreOne(command);
    case 'walks':
      return walk(command);
  }
}

async function main(): Promise<number> {
  try {
    const command = parseCommand(process.argv.slice(2));
    const isWell = await carryOut(command);
    return isWell ? 0 : 1;
  } catch (error) {
    if (!(error instanceof WrongArguments)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    return 2;
  }
}

process.exitCode = await main();
