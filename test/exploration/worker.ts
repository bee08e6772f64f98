import { parentPort } from 'node:worker_threads';
import type { Task } from './plan.js';
import { runTask } from './run-task.js';

// A thread that explores as it is told, one task after the other, and answers each with its outcome.
const port = parentPort;
if (port === null) throw new Error('this module runs in a worker thread');
port.on('message', (task: Task) => port.postMessage(runTask(task)));
