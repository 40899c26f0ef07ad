import { causeChain } from '../../application/ports/failures';

const EXIT_FAILED = 1;

export interface LastResort {
  readonly process: Pick<NodeJS.Process, 'on'> & { exitCode?: number | string | null | undefined };
  /** Asks the process to finish what is in hand and to end. */
  readonly drain: () => void;
  /** So long draining may take. */
  readonly limitMs: number;
  readonly tell: (text: string) => void;
  readonly exit: (code: number) => void;
}

/**
 * For an error that nobody caught, of ours or of a library's: it is told with its causes, what is in hand is finished,
 * and the process ends with exit code 1, within the limit. Its supervisor starts another: after such an error this one
 * cannot be trusted, but ending at once would leave every call in flight a doubt for a person.
 */
export function installLastResort({ process, drain, limitMs, tell, exit }: LastResort): void {
  let draining = false;
  const onFault =
    (kind: string) =>
    (fault: unknown): void => {
      process.exitCode = EXIT_FAILED;
      tell(`datapump: ${kind}: ${causeChain(fault)}${framesOf(fault)}`);
      if (draining) return;
      draining = true;
      tell(
        `datapump: finishing what is in hand, then ending with exit code ${EXIT_FAILED}, within ${limitMs / 1_000} s`,
      );
      // Where nothing is left to do, the process ends without it.
      setTimeout(() => exit(EXIT_FAILED), limitMs).unref();
      drain();
    };
  process.on('uncaughtException', onFault('an error nobody caught'));
  process.on('unhandledRejection', onFault('a promise nobody held was rejected'));
}

const FRAMES_MAX = 8;

/** Where it was thrown: of a library's error often the only clue. */
function framesOf(fault: unknown): string {
  const frames = fault instanceof Error ? (fault.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return frames
    .slice(0, FRAMES_MAX)
    .map((frame) => `\n${frame}`)
    .join('');
}
