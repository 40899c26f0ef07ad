/** What ends a wait: Node's own timers, or those of whoever moves time. */
export interface Timers {
  /** Runs it after so long, unless what this returns is called before. */
  after(ms: number, run: () => void): () => void;
  /** Runs it once what has arrived by now was read. */
  afterReads(run: () => void): void;
}

export const NODE_TIMERS: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  // The loop comes to these right after it has read its sockets.
  afterReads: (run) => void setImmediate(run),
};
