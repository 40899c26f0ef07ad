import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { crashPoint } from './crash-points';
import { type Telemetry } from '../../application/ports/telemetry';
import { SUPERVISED_VARIABLE } from './end-with-parent';
import { type ProcessKind, processName } from './run-process';

export interface SuperviseOptions {
  readonly processes: readonly ProcessKind[];
  /** Added to this process's environment; settings travel as `Section__Name`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Added for this one start of the process named; asked again when it is started again. */
  readonly environmentOfStart?: (name: string) => Readonly<Record<string, string>>;
  /** The settings file the supervisor itself was given: its children read the same. */
  readonly configFile?: string;
  readonly restartMax: number;
  readonly restartWindowMs: number;
  readonly stopMs: number;
  readonly telemetry: Pick<Telemetry, 'warn'>;
  /** Where the children's log lines go. */
  readonly logTo?: 'inherit' | number;
  /** Told of each process right after it was started, and started again; no id where the start failed. */
  readonly onStart?: (name: string, pid: number | undefined) => void;
}

export interface Supervised {
  /** Resolves when all have ended: undefined after `stop`, else why the supervisor gave up. */
  readonly ended: Promise<string | undefined>;
  stop(): Promise<void>;
  /** Process ids by name, of those running now. */
  running(): ReadonlyMap<string, number>;
  restarts(): number;
}

/** First wait before a restart; it doubles with each restart in the window. */
const RESTART_WAIT_FIRST_MS = 200;
const RESTART_WAIT_MAX_MS = 10_000;
/**
 * A child that ends with "usage or configuration" at its first start would only say the same again. Later, the same
 * settings have worked before: a server is out of reach, and restarts are counted as ever.
 */
const EXIT_USAGE = 2;

/**
 * Room for young objects: those of the records in hand then die before V8 copies them, which took an eighth of all
 * processor time off a record. Given from the start, as V8 would grow into it: 35 MiB a process, however many records.
 */
export const CHILD_NODE_FLAGS: readonly string[] = ['--min-semi-space-size=32', '--max-semi-space-size=32'];

/** starting → running → (ended → starting)* → stopped; gives up when one process ends too often in the window. */
export function supervise(options: SuperviseOptions): Supervised {
  const children = new Map<string, ChildProcess>();
  const waiting = new Set<NodeJS.Timeout>();
  const started = new Set<string>();
  let stopping = false;
  /** Why it gave up: told by `ended` whichever child is the last to end. */
  let reason: string | undefined;
  let restarts = 0;
  let finish: (why: string | undefined) => void = () => undefined;
  const ended = new Promise<string | undefined>((resolveEnd) => (finish = resolveEnd));

  const start = (kind: ProcessKind, earlier: readonly number[]): void => {
    const name = processName(kind);
    crashPoint('supervisor.before-start');
    const child = spawn(
      process.execPath,
      [...CHILD_NODE_FLAGS, commandLine(), ...configArguments(options), ...argumentsOf(kind)],
      {
        env: {
          ...process.env,
          ...options.environment,
          ...options.environmentOfStart?.(name),
          [SUPERVISED_VARIABLE]: '1',
        },
        stdio: ['pipe', 'ignore', options.logTo ?? 'inherit'],
      },
    );
    children.set(name, child);
    child.stdin?.on('error', () => undefined);
    options.onStart?.(name, child.pid);
    crashPoint('supervisor.after-start');
    child.once('exit', (code, signal) => {
      children.delete(name);
      if (stopping) {
        // Asked to stop, it ended for a fault of its own.
        if (code !== null && code !== 0) reason ??= `${name} ended with exit code ${code} while it stopped`;
        return endWhenEmpty();
      }
      options.telemetry.warn('a process ended', {
        process: name,
        code: code ?? undefined,
        signal: signal ?? undefined,
      });
      const now = performance.now();
      const recent = [...earlier.filter((at) => now - at < options.restartWindowMs), now];
      const misconfigured = code === EXIT_USAGE && !started.has(name);
      started.add(name);
      if (misconfigured || recent.length > options.restartMax) {
        void giveUp(
          misconfigured
            ? `${name} ended over its configuration (exit code ${code}): its words stand above`
            : `${name} ended ${recent.length} times within ${options.restartWindowMs / 1_000} s, at last with ${code === null ? `signal ${signal}` : `exit code ${code}`}: its words stand above`,
        );
        return undefined;
      }
      restarts++;
      const timer = setTimeout(
        () => {
          waiting.delete(timer);
          start(kind, recent);
        },
        Math.min(RESTART_WAIT_MAX_MS, RESTART_WAIT_FIRST_MS * 2 ** (recent.length - 1)),
      );
      waiting.add(timer);
      return undefined;
    });
  };

  const endWhenEmpty = (): void => {
    if (children.size === 0) finish(reason);
  };

  const stop = async (): Promise<void> => {
    if (!stopping) {
      stopping = true;
      for (const timer of waiting) clearTimeout(timer);
      for (const child of children.values()) child.kill('SIGTERM');
      const killer = setTimeout(() => {
        for (const child of children.values()) child.kill('SIGKILL');
      }, options.stopMs);
      if (children.size > 0)
        await Promise.all([...children.values()].map((child) => new Promise((gone) => child.once('exit', gone))));
      clearTimeout(killer);
      finish(reason);
    }
    await ended;
  };
  const giveUp = (why: string): Promise<void> => {
    reason ??= why;
    options.telemetry.warn('giving up', { why });
    return stop();
  };

  for (const kind of options.processes) start(kind, []);
  return {
    ended,
    stop,
    running: () =>
      new Map([...children].flatMap(([name, child]) => (child.pid === undefined ? [] : [[name, child.pid] as const]))),
    restarts: () => restarts,
  };
}

export const commandLine = (): string => resolve(__dirname, '..', 'command-line.main.js');

function argumentsOf(kind: ProcessKind): readonly string[] {
  if (kind.process !== 'consumer') return ['run', kind.process];
  const types = kind.dataTypes.map((dataType) => dataType.toLowerCase()).join(',');
  return ['run', 'consumer', '--type', types, ...(kind.number === undefined ? [] : ['--number', String(kind.number)])];
}

const configArguments = ({ configFile }: SuperviseOptions): readonly string[] =>
  configFile === undefined ? [] : ['--config', configFile];
