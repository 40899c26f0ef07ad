import { type Dice, hashOf, mixed } from './dice';

/** Where a fault can strike: the port and what is asked of it. */
export type CallSite =
  | 'shard'
  | 'store-read'
  | 'store-append'
  | 'control-read'
  | 'bus-send'
  | 'bus-receive'
  | 'bus-settle'
  | 'bus-renew'
  | 'bus-look'
  | 'permit'
  | 'prepare'
  | 'call'
  | 'inquiry'
  | 'profiles'
  // Of the real gateway alone: what it does to be let in, and each request as it goes over a connection of its own.
  | 'building'
  | 'secret'
  | 'token'
  | 'connect'
  | 'request';

/** What the wire does of itself; the kinds without one are told to the port that was called, which does them. */
export type Behaviour = 'fails-before' | 'fails-after' | 'acknowledged-without' | 'slow' | 'conflict' | 'port';

interface Declaration {
  readonly at: readonly CallSite[];
  readonly does: Behaviour;
  /** Share of the calls it strikes, where its class is on; a seed scales it. */
  readonly rate: number;
}

/** Every kind of fault that strikes a call. Each is a class of its own in the swarm. */
export const CALL_FAULTS = {
  'sql-deadlock': { at: ['shard'], does: 'fails-before', rate: 0.02 },
  'sql-connection-lost': { at: ['shard'], does: 'fails-before', rate: 0.02 },
  'sql-commit-unknown': { at: ['shard'], does: 'fails-after', rate: 0.03 },
  // Not to be repeated by itself, by what the adapter says: somebody has to mend it.
  'sql-final': { at: ['shard'], does: 'fails-before', rate: 0.001 },
  'sql-slow': { at: ['shard'], does: 'slow', rate: 0.006 },
  'bus-send-error': { at: ['bus-send'], does: 'fails-before', rate: 0.05 },
  'bus-send-unacknowledged': { at: ['bus-send'], does: 'fails-after', rate: 0.06 },
  'bus-final': { at: ['bus-send'], does: 'fails-before', rate: 0.01 },
  'bus-duplicate': { at: ['bus-send'], does: 'port', rate: 0.08 },
  'bus-late': { at: ['bus-send'], does: 'port', rate: 0.06 },
  'bus-receive-error': { at: ['bus-receive'], does: 'fails-before', rate: 0.01 },
  'bus-receive-lost': { at: ['bus-receive'], does: 'fails-after', rate: 0.03 },
  'bus-out-of-order': { at: ['bus-receive'], does: 'port', rate: 0.2 },
  'bus-lock-expiry': { at: ['bus-receive'], does: 'port', rate: 0.08 },
  'bus-settle-lost': { at: ['bus-settle'], does: 'fails-before', rate: 0.06 },
  'bus-settle-unacknowledged': { at: ['bus-settle'], does: 'fails-after', rate: 0.06 },
  'bus-settle-not-applied': { at: ['bus-settle'], does: 'acknowledged-without', rate: 0.06 },
  'bus-renewal-failing': { at: ['bus-renew'], does: 'fails-before', rate: 0.2 },
  'bus-look-error': { at: ['bus-look'], does: 'fails-before', rate: 0.03 },
  'store-unavailable': { at: ['store-append', 'store-read', 'control-read'], does: 'fails-before', rate: 0.02 },
  'store-final': { at: ['store-append'], does: 'fails-before', rate: 0.01 },
  'store-answer-lost': { at: ['store-append'], does: 'fails-after', rate: 0.06 },
  'store-conflict': { at: ['store-append'], does: 'conflict', rate: 0.03 },
  'store-slow': { at: ['store-append', 'store-read', 'control-read'], does: 'slow', rate: 0.006 },
  // What operators ordered of a biller, alone: read seldom, since it is kept for two seconds.
  'control-unreadable': { at: ['control-read'], does: 'fails-before', rate: 0.08 },
  'profiles-unreadable': { at: ['profiles'], does: 'fails-before', rate: 0.006 },
  'permit-refused': { at: ['permit'], does: 'port', rate: 0.05 },
  'token-unavailable': { at: ['prepare'], does: 'fails-before', rate: 0.04 },
  'secret-missing': { at: ['prepare', 'secret'], does: 'fails-before', rate: 0.02 },
  'row-vanishes': { at: ['prepare', 'building'], does: 'port', rate: 0.02 },
  'biller-refused': { at: ['call', 'connect'], does: 'port', rate: 0.06 },
  'biller-throttled': { at: ['call', 'request'], does: 'port', rate: 0.06 },
  'biller-unauthorized': { at: ['call', 'request'], does: 'port', rate: 0.02 },
  'biller-busy': { at: ['call', 'request'], does: 'port', rate: 0.04 },
  'biller-500-before-effect': { at: ['call', 'request'], does: 'port', rate: 0.05 },
  'biller-500-after-effect': { at: ['call', 'request'], does: 'port', rate: 0.05 },
  'biller-timeout-with-effect': { at: ['call', 'request'], does: 'port', rate: 0.05 },
  'biller-timeout-late-effect': { at: ['call', 'request'], does: 'port', rate: 0.06 },
  'biller-timeout-without-effect': { at: ['call', 'request'], does: 'port', rate: 0.05 },
  'biller-200-with-error-body': { at: ['call', 'request'], does: 'port', rate: 0.03 },
  'biller-malformed-body': { at: ['call', 'request'], does: 'port', rate: 0.04 },
  'key-not-carried': { at: ['call'], does: 'port', rate: 0.02 },
  'inquiry-lags': { at: ['inquiry'], does: 'port', rate: 0.3 },
  'inquiry-pending': { at: ['inquiry'], does: 'port', rate: 0.08 },
  'inquiry-cannot-tell': { at: ['inquiry'], does: 'port', rate: 0.04 },
  'inquiry-unavailable': { at: ['inquiry'], does: 'port', rate: 0.15 },
  'biller-reset-before-effect': { at: ['request'], does: 'port', rate: 0.1 },
  'biller-reset-after-effect': { at: ['request'], does: 'port', rate: 0.1 },
  'token-refused': { at: ['token'], does: 'port', rate: 0.1 },
  'token-unclear': { at: ['token'], does: 'port', rate: 0.2 },
  'token-silent': { at: ['token'], does: 'port', rate: 0.15 },
} as const satisfies Record<string, Declaration>;

/** What strikes a process at any of its calls. */
export const PROCESS_FAULTS = {
  'process-crash-before-effect': 0.009,
  'process-crash-after-effect': 0.009,
  'process-pause': 0.004,
  'process-restart': 0.003,
} as const;

/** What happens to the world at a time of its own; so often in a seed at most. */
export const WORLD_FAULTS = {
  'clock-skew': 0,
  'sql-outage': 2,
  'one-shard-outage': 2,
  'one-process-cut-off': 2,
  'one-link-cut': 3,
  'bus-outage': 2,
  'store-outage': 2,
  'bus-message-lost': 3,
  'profile-changed': 2,
  'biller-stopped': 1,
  'row-withdrawn': 2,
  'payment-amount-changed': 2,
  'customer-renamed': 3,
  // At one instant, by turns of the dice: see disaster.ts.
  'store-restored': 0,
  'shard-restored': 0,
  'bus-restored': 0,
  'operator-redrives-twice': 4,
  'operator-pauses': 2,
  'operator-slows': 2,
  'operator-resolves': 4,
  // Its owner uses the id of a row again, for another payment or customer.
  'id-used-again': 1,
} as const;

export type CallFault = keyof typeof CALL_FAULTS;
const SITES_OF_HTTP: readonly CallSite[] = ['token', 'request'];
/** Whether only the real gateway knows it. */
export const isOfHttp = (kind: FaultKind): boolean =>
  kind in CALL_FAULTS && CALL_FAULTS[kind as CallFault].at.every((site) => SITES_OF_HTTP.includes(site));
export type ProcessFault = keyof typeof PROCESS_FAULTS;
export type WorldFault = keyof typeof WORLD_FAULTS;
export type FaultKind = CallFault | ProcessFault | WorldFault;
export const FAULT_KINDS: readonly FaultKind[] = [
  ...Object.keys(CALL_FAULTS),
  ...Object.keys(PROCESS_FAULTS),
  ...Object.keys(WORLD_FAULTS),
] as FaultKind[];

const atSite = new Map<CallSite, readonly CallFault[]>();
export function faultsAt(site: CallSite): readonly CallFault[] {
  const known = atSite.get(site);
  if (known) return known;
  const found = (Object.keys(CALL_FAULTS) as CallFault[]).filter((kind) =>
    (CALL_FAULTS[kind].at as readonly CallSite[]).includes(site),
  );
  atSite.set(site, found);
  return found;
}

const SCALES = [0.5, 1, 2, 4];

export interface FiredFault {
  /** `kind@place.occurrence`: names the decision, so that a shrunk run can allow exactly this one. */
  readonly id: string;
  readonly kind: FaultKind;
  readonly about: string;
  readonly at: number;
}

interface Possible<Kind extends FaultKind> {
  readonly kind: Kind;
  readonly rate: number;
  readonly hash: number;
}

/**
 * Which faults strike. Swarm: each kind is off with a third's chance in a seed, else it has its own rate, so that some
 * seeds go deep where others go wide.
 */
export class FaultPlan {
  readonly fired: FiredFault[] = [];
  private readonly rates = new Map<FaultKind, number>();
  private readonly possibles = new Map<readonly FaultKind[], readonly Possible<FaultKind>[]>();
  private healed = false;

  constructor(
    private readonly dice: Dice,
    private readonly options: {
      readonly nowMs: () => number;
      /** Only these may strike; undefined: every one the dice say. */
      readonly only?: ReadonlySet<string>;
      /** Decides instead of the dice: the loop over every call. */
      readonly decide?: (
        about: string,
        occurrence: number,
        kinds: readonly FaultKind[],
        site: CallSite | undefined,
      ) => FaultKind | undefined;
      /** The only kinds that may strike, each at its highest rate: a run that goes deep. */
      readonly kinds?: readonly FaultKind[];
      /** Instead of what the dice say of these kinds. */
      readonly rates?: Partial<Record<FaultKind, number>>;
    },
  ) {
    for (const kind of FAULT_KINDS) {
      const off = options.kinds ? !options.kinds.includes(kind) : dice.fraction(`class ${kind} off`) < 1 / 3;
      const base =
        kind in CALL_FAULTS
          ? CALL_FAULTS[kind as CallFault].rate
          : kind in PROCESS_FAULTS
            ? PROCESS_FAULTS[kind as ProcessFault]
            : 0.7;
      const scale =
        kind in WORLD_FAULTS ? 1 : options.kinds ? Math.max(...SCALES) : dice.pick(SCALES, `class ${kind} scale`);
      this.rates.set(kind, options.rates?.[kind] ?? (off || options.decide ? 0 : base * scale));
    }
  }

  heal(): void {
    this.healed = true;
  }

  /** How often a kind that happens to the world may do so. */
  timesInTheWorld(kind: WorldFault): number {
    return WORLD_FAULTS[kind] * (this.options.kinds ? Math.max(...SCALES) : 1);
  }

  get isHealed(): boolean {
    return this.healed;
  }

  /** The first of the kinds that strikes; `question` is the dice's for `about`. */
  strike<Kind extends FaultKind>(
    about: string,
    question: number,
    occurrence: number,
    kinds: readonly Kind[],
    site?: CallSite,
  ): Kind | undefined {
    if (this.healed) return undefined;
    if (this.options.decide) {
      const decided = this.options.decide(about, occurrence, kinds, site) as Kind | undefined;
      if (decided) this.note(decided, about, question, occurrence);
      return decided;
    }
    for (const { kind, rate, hash } of this.possible(kinds)) {
      if (this.dice.fraction(mixed(question, hash), occurrence) >= rate) continue;
      const id = idOf(kind, question, occurrence);
      if (this.options.only && !this.options.only.has(id)) continue;
      this.note(kind, about, question, occurrence);
      return kind;
    }
    return undefined;
  }

  /** Of the kinds, those that this seed has on; callers ask with the same list again and again. */
  private possible<Kind extends FaultKind>(kinds: readonly Kind[]): readonly Possible<Kind>[] {
    const known = this.possibles.get(kinds) as readonly Possible<Kind>[] | undefined;
    if (known) return known;
    const possible = kinds
      .map((kind) => ({ kind, rate: this.rates.get(kind)!, hash: hashOfKind(kind) }))
      .filter(({ rate }) => rate > 0);
    this.possibles.set(kinds, possible);
    return possible;
  }

  private note(kind: FaultKind, about: string, question: number, occurrence: number): void {
    this.fired.push({
      id: idOf(kind, question, occurrence),
      kind,
      about: `${about} #${occurrence}`,
      at: this.options.nowMs(),
    });
  }
}

const idOf = (kind: FaultKind, question: number, occurrence: number): string =>
  `${kind}@${question.toString(36)}.${occurrence}`;
/** Of the name, so that a new kind leaves those before it as they strike. */
const kindHashes = new Map<FaultKind, number>(FAULT_KINDS.map((kind) => [kind, hashOf(kind)]));
const hashOfKind = (kind: FaultKind): number => kindHashes.get(kind)!;
