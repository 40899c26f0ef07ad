'use strict';
/*
 * Plain JavaScript, since a worker thread loads it as it lies here, in src as in dist. watchdog.ts says what it is for.
 * Time is counted in ticks of this thread: a process that was suspended, with its machine or alone, has not ticked.
 */
const { writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');

const { name, tickMs, calculatingTicksMax, waitingTicksMax } = workerData;
const beats = new Int32Array(workerData.beats);
const STANDARD_ERROR = 2;
/** A larger share of a tick used of a processor, which may be a busy one: the loop calculates. Less: it waits, for a disk say. */
const CALCULATES_SHARE = 0.1;

let seen = Atomics.load(beats, 0);
let used = process.cpuUsage();
let calculating = 0;
let waiting = 0;

setInterval(() => {
  const now = Atomics.load(beats, 0);
  const { user, system } = process.cpuUsage(used);
  used = process.cpuUsage();
  if (now !== seen) {
    seen = now;
    calculating = waiting = 0;
  } else if ((user + system) / 1_000 > CALCULATES_SHARE * tickMs) calculating++;
  else waiting++;
  if (calculating <= calculatingTicksMax && waiting <= waitingTicksMax) return;
  const what = calculating > calculatingTicksMax ? 'calculating' : 'waiting';
  const seconds = Math.round(((calculating + waiting) * tickMs) / 1_000);
  try {
    writeSync(
      STANDARD_ERROR,
      `datapump: the event loop of ${name} has stood still for ${seconds} s, ${what}; killing the process, so that whoever runs it starts it again\n`,
    );
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}, tickMs);
