import { CRASH_POINTS, type CrashPoint } from '../processes/crash-points';
import { DATA_TYPES, type DataType } from '../../domain/biller/data-type';

/** Which process is armed. */
export type Actor = 'scanner' | 'fetcher' | 'consumer' | 'redrive' | 'resolve' | 'supervisor';

/** What is done before the armed process starts, so that it comes to the point at all. */
export type Preparation =
  | 'nothing'
  /** Chunk and record messages vanish, and an hour passes: the sweep's work. */
  | 'lost-messages'
  /** Each chunk message was received and dropped twice: it is taken row by row. */
  | 'dropped-chunks'
  /** Each message of the first consumer was received and dropped until the broker gave it up. */
  | 'given-up-messages'
  /** Payments became such as their biller does not take, after they were validated. */
  | 'changed-payments'
  /** The armed consumer runs alone at first: it hears of records that nobody has discovered yet. */
  | 'consumer-first'
  /** The armed process was killed at this point before. */
  | { readonly killedAt: CrashPoint };

export interface CrashCase {
  readonly name: string;
  readonly point: CrashPoint;
  readonly actor: Actor;
  readonly preparation: Preparation;
  /** What a person does once nothing moves any more. */
  readonly afterwards: 'nothing' | 'redrive' | 'resolve';
  /** The sweep is what repairs: it looks every second instead of every minute. */
  readonly sweeping: boolean;
  /** It is passed too rarely in a small data set to be hit at its second or third time. */
  readonly firstTimeOnly: boolean;
}

const PREPARED: Partial<Record<CrashPoint, Preparation>> = {
  'sweep.after-take': 'lost-messages',
  'sweep.after-chunks-sent': 'lost-messages',
  'sweep.after-records-sent': 'lost-messages',
  'fetcher.between-rows': 'dropped-chunks',
  'fetcher.after-finished-reconciled': { killedAt: 'fetcher.before-publish' },
  'consumer.after-discovered': 'consumer-first',
  'consumer.after-claim-without-call': 'changed-payments',
  'broker-dead-letters.after-stated': 'given-up-messages',
  'broker-dead-letters.after-row': 'given-up-messages',
  'broker-dead-letters.after-confirmed': 'given-up-messages',
};

const RARE: ReadonlySet<CrashPoint> = new Set<CrashPoint>([
  'scanner.before-claim',
  'scanner.after-claim',
  'relay.before-plan',
  'relay.after-plan',
  'relay.after-publish',
  'relay.after-mark',
  'sweep.after-take',
  'sweep.after-chunks-sent',
  'sweep.after-records-sent',
  'receive-loop.after-receive',
  'receive-loop.before-dead-letter',
  'receive-loop.after-dead-letter',
  'consumer.after-dead-letter-stated',
  'fetcher.after-notices',
  'fetcher.after-finished-reconciled',
  'consumer.after-row-reopened',
  'consumer.after-row-reconciled',
  'consumer.after-row-confirmed',
  'consumer.after-claim-without-call',
  'doubt.before-inquiry',
  'doubt.after-inquiry',
  'doubt.after-inquiry-closed',
  'doubt.after-hold-stated',
  'doubt.before-resend-stated',
  'doubt.after-resend-stated',
  'doubt.after-resend',
  'doubt.after-resend-closed',
  'redrive.after-receive',
  'redrive.after-opened',
  'redrive.after-row-reopened',
  'redrive.after-send',
  'redrive.after-complete',
  'resolve.before-close',
  'resolve.after-close',
  'resolve.after-row-reopened',
  'resolve.after-send',
]);

/** Every point in each process that passes it. */
export const CRASH_CASES: readonly CrashCase[] = CRASH_POINTS.flatMap((point) =>
  actorsOf(point).map((actor) => caseOf(point, actor)),
);

/**
 * Of the records of one run. What is passed often is passed with every type, so each consumer dies somewhere; what is
 * rare needs billers of every kind, which Payments alone have.
 */
export function dataTypeOf({ point, firstTimeOnly }: CrashCase, turn: number): DataType {
  const types = firstTimeOnly ? (['Payments'] as const) : DATA_TYPES;
  return types[(CRASH_POINTS.indexOf(point) + turn) % types.length]!;
}

function caseOf(point: CrashPoint, actor: Actor): CrashCase {
  const preparation = PREPARED[point] ?? 'nothing';
  const afterwards = afterwardsOf(point, actor, preparation);
  return {
    name: point.startsWith('receive-loop.') ? `${point}@${actor}` : point,
    point,
    actor,
    preparation,
    afterwards,
    sweeping: preparation === 'lost-messages' || afterwards === 'resolve',
    firstTimeOnly: RARE.has(point),
  };
}

function afterwardsOf(point: CrashPoint, actor: Actor, preparation: Preparation): CrashCase['afterwards'] {
  if (actor === 'redrive' || preparation === 'given-up-messages') return 'redrive';
  return actor === 'resolve' || point === 'consumer.after-row-reopened' ? 'resolve' : 'nothing';
}

function actorsOf(point: CrashPoint): readonly Actor[] {
  switch (point.split('.')[0]) {
    case 'scanner':
    case 'relay':
    case 'sweep':
      return ['scanner'];
    case 'fetcher':
      return ['fetcher'];
    case 'receive-loop':
      return point.endsWith('dead-letter') ? ['consumer'] : ['fetcher', 'consumer'];
    case 'redrive':
      return ['redrive'];
    case 'resolve':
      return ['resolve'];
    case 'supervisor':
      return ['supervisor'];
    default:
      return ['consumer'];
  }
}
