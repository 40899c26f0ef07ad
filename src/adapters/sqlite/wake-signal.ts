import { closeSync, mkdirSync, openSync, watch, writeSync, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { PRIVATE_FILE_MODE } from '../shared/private-file';

/**
 * Tells waiting receivers of this and of other processes that a queue has changed. Across processes it is one small
 * file per queue in a shared folder, written after the commit and watched by the operating system. A lost signal costs
 * a receiver its next poll and nothing else, so failures here are not failures of the bus.
 */
export class WakeSignal {
  private readonly listeners = new Map<string, Set<() => void>>();
  /** One open file per queue of the topology. */
  private readonly files = new Map<string, number>();
  private readonly dirty = new Set<string>();
  private watcher: FSWatcher | undefined;
  private closed = false;

  /** undefined: within this process only (a database in memory). */
  constructor(private readonly folder: string | undefined) {
    if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Call it after the commit. The queues that one group of commits has changed are signalled together. */
  signal(queue: string): void {
    if (this.dirty.size === 0) queueMicrotask(() => this.flush());
    this.dirty.add(queue);
  }

  /** Calls the listener at each change of the queue until the function returned is called. Spurious calls happen. */
  listen(queue: string, listener: () => void): () => void {
    this.startWatching();
    const set = this.listeners.get(queue) ?? new Set();
    this.listeners.set(queue, set.add(listener));
    return () => {
      set.delete(listener);
    };
  }

  close(): void {
    this.closed = true;
    this.watcher?.close();
    this.watcher = undefined;
    for (const file of this.files.values()) closeSync(file);
    this.files.clear();
  }

  private flush(): void {
    const queues = [...this.dirty];
    this.dirty.clear();
    for (const queue of queues) {
      this.notify(queue);
      this.touch(queue);
    }
  }

  private notify(queue: string): void {
    for (const listener of [...(this.listeners.get(queue) ?? [])]) listener();
  }

  private touch(queue: string): void {
    if (this.folder === undefined || this.closed) return;
    try {
      let file = this.files.get(queue);
      if (file === undefined)
        this.files.set(queue, (file = openSync(join(this.folder, encodeURIComponent(queue)), 'w', PRIVATE_FILE_MODE)));
      writeSync(file, '!', 0);
    } catch {
      // The messages are committed already; receivers elsewhere find them at their next poll.
    }
  }

  private startWatching(): void {
    if (this.folder === undefined || this.watcher !== undefined || this.closed) return;
    try {
      this.watcher = watch(this.folder, { persistent: false }, (_event, name) => {
        if (typeof name === 'string') this.notify(decodeURIComponent(name));
        else for (const queue of this.listeners.keys()) this.notify(queue);
      });
      this.watcher.on('error', () => {
        this.watcher?.close();
        this.watcher = undefined;
      });
    } catch {
      // No watches left on this machine: receivers poll.
    }
  }
}
