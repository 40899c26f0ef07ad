/** What a biller can do wrong on purpose. The order is part of the draw: append only, or old seeds give other runs. */
export const FAULT_KINDS = [
  'latency',
  'throttled-429',
  'error-500-before-effect',
  'error-500-after-effect',
  'timeout-without-effect',
  'timeout-with-effect',
  'timeout-with-late-effect',
  'connection-reset-before-effect',
  'connection-reset-after-effect',
  'malformed-body-after-effect',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
/** Share of requests, 0 to 1, per kind. Together at most 1. */
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>;

/** What decides chance: the same four give the same draws in every run, whatever the order of requests. */
export interface Draw {
  readonly seed: string;
  readonly billerId: string;
  readonly reference: string;
  /** This is the n-th request (from 1) that the reference made. */
  readonly occurrence: number;
}

export function drawFault(draw: Draw, rates: FaultRates): FaultKind | undefined {
  let left = chance(draw, 'fault');
  for (const kind of FAULT_KINDS) {
    left -= rates[kind] ?? 0;
    if (left < 0) return kind;
  }
  return undefined;
}

/** Half of all answers take less than the median; the tail is exponential and ends at `max`. */
export function drawLatencyMs(draw: Draw, latency: { readonly median: number; readonly max: number }): number {
  return Math.min(latency.max, latency.median * -Math.log2(1 - chance(draw, 'latency')));
}

/** A late effect lands between a tenth and nine tenths of the quarantine: late for certain, and never later than declared. */
export function drawLatenessMs(draw: Draw, quarantineMs: number): number {
  return Math.floor(quarantineMs * (0.1 + 0.8 * chance(draw, 'lateness')));
}

/** Half of the late effects are seen as pending by an inquiry; the others stay unseen until they land, the harder case. */
export const drawSeenAsPending = (draw: Draw): boolean => chance(draw, 'seen-as-pending') < 0.5;

/** A number in [0, 1): FNV-1a over the text, then the finalizer of MurmurHash3, since FNV alone is uneven in its high bits. */
export function chance(draw: Draw, purpose: string): number {
  const text = `${draw.seed}|${draw.billerId}|${draw.reference}|${draw.occurrence}|${purpose}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}
