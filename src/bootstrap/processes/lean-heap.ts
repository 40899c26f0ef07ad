import { setFlagsFromString } from 'node:v8';

/**
 * V8 lets garbage grow to several times what is alive before it collects the old part of the heap, the more the longer
 * a process runs. Here a process' memory must not depend on how many records it has seen: the heap may grow by a third
 * between collections. Measured: the live heap of a consumer is 30 MB; its peak fell from 226 to 133 MiB, and records
 * per second stayed the same.
 */
export function keepHeapLean(): void {
  setFlagsFromString('--heap-growing-percent=30');
  setFlagsFromString('--max-semi-space-size=4');
}
