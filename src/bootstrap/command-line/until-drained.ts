import { type Backlog, measureBacklog } from '../../application/queries/measure-backlog';
import { type createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { LOOK_SHARE, untilDrained } from '../processes/until-drained';

/** Resolves when the backlog stayed empty, or when the signal aborts. `onLook` may throw to give up. */
export async function untilDrainedOrEnded(
  container: ReturnType<typeof createContainer>,
  signal: AbortSignal,
  onLook?: (backlog: Backlog) => void,
  lookShare = LOOK_SHARE,
): Promise<void> {
  const measure = measureBacklog(
    { shards: container.get(TOKENS.shards), bus: container.get(TOKENS.bus) },
    container.get(TOKENS.topology),
  );
  const profiles = container.get(TOKENS.profiles);
  const look = async (): Promise<Backlog> => {
    const live = (await profiles.all()).filter(({ rollout }) => rollout === 'live').map(({ billerId }) => billerId);
    return measure(new Set(live));
  };
  const clock = container.get(TOKENS.clock);
  await untilDrained({ clock, look, signal, lookShare, ...(onLook === undefined ? {} : { onLook }) });
}
