import { billerControlDecider } from '../../src/domain/biller/biller-control.decider';
import { type BillerControlEvent, type Ordered } from '../../src/domain/biller/biller-control.events';
import { EVERYTHING, uncontrolled, underStop } from '../../src/domain/biller/biller-control.state';
import { isId } from '../../src/domain/identifiers';
import { instant } from '../../src/domain/instant';
import { atSecond } from '../support/events';
import { given } from './given';

const biller = (...history: readonly BillerControlEvent[]) => given(billerControlDecider, ...history);
const ordered = (second: number, more: Partial<Ordered> = {}): Ordered => ({
  by: 'root@ops-1',
  reason: 'works',
  at: atSecond(second),
  ...more,
});
const paused = (second: number, more: Partial<Ordered> = {}): BillerControlEvent => ({
  type: 'BillerPaused',
  data: ordered(second, more),
});
const resumed = (second: number): BillerControlEvent => ({ type: 'BillerResumed', data: ordered(second) });
const rateSet = (second: number, perSecond?: number): BillerControlEvent => ({
  type: 'BillerRateSet',
  data: { ...ordered(second), ...(perSecond === undefined ? {} : { perSecond }) },
});

it('is paused once: a second order changes neither since when nor why', () => {
  biller()
    .when({ type: 'PauseBiller', ordered: ordered(1) })
    .then(paused(1));
  const again = { type: 'PauseBiller', ordered: ordered(2, { reason: 'other' }) } as const;
  biller(paused(1)).when(again).thenNothing();
  biller(paused(1), resumed(2))
    .when(again)
    .then(paused(2, { reason: 'other' }));
});

it('is resumed where it is paused', () => {
  biller(paused(1)).when({ type: 'ResumeBiller', ordered: ordered(2) }).then(resumed(2));
  for (const before of [[], [paused(1), resumed(2)], [rateSet(1, 5)]])
    biller(...before).when({ type: 'ResumeBiller', ordered: ordered(3) }).thenNothing();
}); // prettier-ignore

it('is given a rate, and the profile’s again, each once', () => {
  biller().when({ type: 'SetBillerRate', perSecond: 5, ordered: ordered(1) }).then(rateSet(1, 5));
  biller(rateSet(1, 5)).when({ type: 'SetBillerRate', perSecond: 5, ordered: ordered(2) }).thenNothing();
  biller(rateSet(1, 5)).when({ type: 'SetBillerRate', perSecond: 6, ordered: ordered(2) }).then(rateSet(2, 6));
  biller(rateSet(1, 5)).when({ type: 'SetBillerRate', ordered: ordered(2) }).then(rateSet(2));
  biller().when({ type: 'SetBillerRate', ordered: ordered(1) }).thenNothing();
}); // prettier-ignore

it('remembers who paused it, why and since when, and keeps its rate meanwhile', () => {
  biller().thenState({ paused: undefined, ratePerSecond: undefined });
  biller(rateSet(1, 5), paused(2, { claimedBy: 'anna' })).thenState({
    paused: { by: 'root@ops-1', claimedBy: 'anna', reason: 'works', since: atSecond(2) },
    ratePerSecond: 5,
  });
  biller(paused(1)).thenState({
    paused: { by: 'root@ops-1', reason: 'works', since: atSecond(1) },
    ratePerSecond: undefined,
  });
  biller(paused(1), resumed(2), rateSet(3, 5), rateSet(4)).thenState({ paused: undefined, ratePerSecond: undefined });
});

it('a stop of everything hides what was ordered for one biller, and takes nothing of it away', () => {
  const at = instant('2026-11-20T08:00:00.000Z');
  const stop = { paused: { by: 'root', reason: 'all', since: at }, ratePerSecond: 7 };
  const own = { paused: { by: 'ana', reason: 'own', since: at }, ratePerSecond: 3 };
  expect(underStop(own, stop)).toEqual({ paused: stop.paused, ratePerSecond: 3, everythingStopped: true });
  expect(underStop(uncontrolled, stop)).toEqual({ ...uncontrolled, paused: stop.paused, everythingStopped: true });
  for (const state of [own, uncontrolled]) expect(underStop(state, uncontrolled)).toBe(state);
  expect(isId(EVERYTHING)).toBe(false);
});
