import { type BillerRequest } from './biller-world';
import { mixed } from './dice';
import { type World } from './world';

/** Within the declared lateness, often at its very end; further where that assumption is broken. */
export function landLate(
  world: World,
  request: BillerRequest,
  call: { readonly question: number; readonly deadline: number; readonly quarantineMs: number },
): void {
  const { billers, timeline, dice } = world;
  const { question, deadline, quarantineMs } = call;
  const latenessMaxMs = quarantineMs * world.latenessFactor;
  const share = dice.fraction(mixed(question, 5)) < 0.3 ? 1 : dice.fraction(mixed(question, 6));
  const at = Math.max(timeline.now, deadline) + Math.floor((latenessMaxMs - 1_000) * share);
  world.lateEffectsUntil = Math.max(world.lateEffectsUntil, at);
  timeline.at(at, () => void billers.receive(request));
}

/** Whether an inquiry is lied to, where that assumption is broken. */
export const denies = ({ broken, dice, timeline }: World, question: number): boolean =>
  broken?.inquiryLies !== undefined && dice.fraction(mixed(question, timeline.now)) < broken.inquiryLies;
