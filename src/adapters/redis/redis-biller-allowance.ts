import { type BillerAllowance } from '../../application/ports/biller-allowance';
import { type BillerId } from '../../domain/identifiers';
import { FAILED, type RedisConnection } from './redis-connection';
import { checkTake } from '../shared/port-terms';

/** Longer than the wait for a permit is by default: a record is parked at once instead of waiting in vain. */
export const AWAY_RETRY_AFTER_MS = 10_000;

/**
 * A bucket that is full again needs no key. A key that is not there is as full as the time since this Redis began to
 * count allows: one that has lost its memory (a restart, a failover, FLUSHALL) gives no second burst for that.
 * Time is Redis' own. Where somebody sets it back, a bucket from the future gains nothing and counts on from now.
 */
const TAKE = `
local perSecond, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local capacity = math.max(1, perSecond)
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'filledAtMs')
local since = bucket[2] or redis.call('GET', KEYS[2])
if not since then redis.call('SET', KEYS[2], string.format('%.17g', now)) end
local gained = since and math.max(0, now - tonumber(since)) / 1000 * perSecond or 0
local tokens = math.min(capacity, tonumber(bucket[1] or '0') + gained)
local granted = math.min(wanted, math.floor(tokens))
local left = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', left), 'filledAtMs', string.format('%.17g', now))
redis.call('PEXPIRE', KEYS[1], math.min(1e12, math.ceil((capacity - left) / perSecond * 1000) + 60000))
if granted == wanted then return { granted, 0 } end
return { granted, math.max(1, math.ceil((1 - left) / perSecond * 1000)) }`;

/**
 * One token bucket a biller in Redis, shared by all processes of an installation on whatever machine. What was granted
 * is spent, so nothing has to be given back by a process that dies.
 *
 * While Redis is away nothing is granted, and whoever asked is told to come back later: without the shared count no
 * process knows what the others have taken (ADR 16). An answer lost on its way costs what it granted, never more.
 */
export class RedisBillerAllowance implements BillerAllowance {
  private readonly namespace: string;

  constructor(
    private readonly options: {
      readonly connection: RedisConnection;
      /** Before every key; `datapump` unless two installations share one Redis. */
      readonly namespace?: string;
    },
  ) {
    this.namespace = options.namespace ?? 'datapump';
  }

  async take(
    biller: BillerId,
    request: { readonly perSecond: number; readonly wanted: number },
  ): Promise<{ readonly granted: number; readonly retryAfterMs: number }> {
    checkTake(biller, request);
    const { perSecond, wanted } = request;
    const keys = [`${this.namespace}:allowance:${biller}`, `${this.namespace}:allowance-since`];
    const answer = await this.options.connection.attempt((redis) => redis.eval(TAKE, 2, ...keys, perSecond, wanted));
    if (answer === FAILED) return { granted: 0, retryAfterMs: AWAY_RETRY_AFTER_MS };
    const [granted, retryAfterMs] = answer as [number, number];
    return { granted, retryAfterMs };
  }
}
