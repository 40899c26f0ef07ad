'use strict';
/* A process that the product's watchdog watches, and that blocks its own event loop in one of several ways. */
const { Watchdog } = require('../../dist/bootstrap/processes/watchdog.js');

const [how, milliseconds] = process.argv.slice(2);
const watchdog = new Watchdog(
  { name: 'blocked-loop', tickMs: 50, calculatingTicksMax: 20, waitingTicksMax: 80 },
  (error) => process.stderr.write(`watchdog failed: ${error}\n`),
);
const BLOCKS = {
  calculates: (ms) => {
    for (const until = performance.now() + ms; performance.now() < until;);
  },
  // As a slow disk does it: the loop stands in a call that uses no processor.
  waits: (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  sleeps: () => undefined,
};
setTimeout(() => {
  process.stdout.write('blocking\n');
  BLOCKS[how](Number(milliseconds));
  setTimeout(
    async () => {
      await watchdog.close();
      process.stdout.write('alive\n');
    },
    how === 'sleeps' ? Number(milliseconds) : 300,
  );
}, 300);
