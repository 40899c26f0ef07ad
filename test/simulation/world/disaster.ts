import { type StoreIdentity } from '../../../src/application/ports/event-store';
import { type HistoryWitness, type KnownHistory } from '../../../src/application/ports/history-witness';
import { instantFromMs } from '../../../src/domain/instant';
import { isFinal } from '../checker/fold';
import { type AtOnce } from './at-once';
import { type Dice } from './dice';
import { type FaultKind } from './faults';
import { MemoryBroker } from './memory-broker';
import { MemoryEventStore } from './memory-event-store';
import { type MemoryShard } from './memory-shard';
import { type Operator } from './operator';
import { type SimulatedProcess } from './simulated-process';
import { WORLD_BEGINS_MS } from './simulated-process';
import { TOPOLOGY, type World } from './world';
import { OUTBOX_TOPIC } from '../../../src/application/messaging/topology';

const DISASTER_KINDS = ['store-restored', 'shard-restored', 'bus-restored'] as const satisfies readonly FaultKind[];
/** Share of the seeds in which a machine dies and something comes back from a backup. */
const SHARE = 0.15;
/** Longer than any outage: some witness has seen what the backup does not hold. */
const YOUNGEST_BACKUP_MS = 130_000;
/** Guards look this often here; the product more often. */
export const GUARD_LOOK_MS = 5_000;

/** A witness beside the shards: a file that no backup holds, unless the dice say so. */
export class MemoryWitness implements AtOnce<HistoryWitness> {
  readonly name = 'witness';
  private known: KnownHistory | undefined;

  knownHistory(): KnownHistory | undefined {
    return this.known;
  }

  noteHistory(next: KnownHistory): boolean {
    if (next.ordinal !== (this.known?.ordinal ?? 0) + 1) return false;
    this.known = next;
    return true;
  }

  snapshot(): () => void {
    const { known } = this;
    return () => void (this.known = known);
  }
}

/** Whether this seed has one; decided before the processes begin, since only then they look after their history. */
export const hasDisaster = (dice: Dice, kinds: readonly FaultKind[] | undefined): boolean =>
  DISASTER_KINDS.some((kind) => kinds?.includes(kind)) || dice.fraction('disaster') < SHARE;

/**
 * Everything stops at once, and some of the stores come back as they were: the event store (or an empty one), shards, the
 * bus, each alone and together. Who owns the payments loads them again, and a person reads what the start says.
 */
export function planDisaster(world: World, operator: Operator, processes: readonly SimulatedProcess[]): void {
  const { dice, faults, timeline, scenario } = world;
  const backupAt = dice.between(20_000, scenario.faultsMs - YOUNGEST_BACKUP_MS - 40_000, 'backup at');
  const at = dice.between(backupAt + YOUNGEST_BACKUP_MS, scenario.faultsMs - 20_000, 'disaster at');
  const struck = (kind: (typeof DISASTER_KINDS)[number], number = 0): boolean =>
    faults.strike(`world ${kind}`, dice.question(`world ${kind}`), number, [kind]) !== undefined;
  const { store, broker, witness, shards } = world;
  if (!(store instanceof MemoryEventStore && broker instanceof MemoryBroker)) return;
  let backup: { store: () => void; bus: () => void; witness: () => void; shards: readonly (() => void)[] };
  timeline.at(backupAt, () => {
    backup = {
      store: store.snapshot(),
      bus: broker.snapshot(),
      witness: witness.snapshot(),
      shards: shards.map((shard) => (shard as MemoryShard).snapshot()),
    };
  });
  timeline.at(at, async () => {
    const storeGone = struck('store-restored');
    const restored = shards.filter((_, number) => struck('shard-restored', number));
    const busBack = struck('bus-restored');
    if (!storeGone && restored.length === 0 && !busBack) return;
    world.heldBack = true;
    world.wire.sever();
    for (const process of [...processes, operator.process]) process.crash();
    if (storeGone && dice.fraction('store lost') < 0.4) store.become(new MemoryEventStore('store-2' as StoreIdentity));
    else if (storeGone) backup.store();
    const witnessBack = storeGone && dice.fraction('witness restored') < 0.3;
    if (witnessBack) backup.witness();
    if (busBack) backup.bus();
    shards.forEach((shard, number) => {
      if (restored.includes(shard)) backup.shards[number]!();
    });
    for (const { home, seed, record, arrivesAtMs } of scenario.rows)
      if (arrivesAtMs < timeline.now && restored.some(({ name }) => name === home) && !world.withdrawn.has(record))
        await shards.find(({ name }) => name === home)!.seed(seed);
    for (const topic of [TOPOLOGY.eventsTopic, OUTBOX_TOPIC]) world.busChanged(topic);
    world.watch.forget();
    world.messagesLost = world.messagesLost || busBack;
    if (storeGone) noteWhatIsOver(world);
    world.narrate?.(`DISASTER store ${storeGone} shards ${restored.map(({ name }) => name).join()} bus ${busBack}`);
    // Of what was not restored, each witness is enough to tell; where there is none, the person has to.
    const undetected = storeGone && witnessBack && restored.length === shards.length;
    operator.acceptLoss(undetected ? instantFromMs(WORLD_BEGINS_MS + backupAt) : undefined);
    // Nothing would stop the processes: the person who restored all of it does not start them before.
    if (!undetected) world.heldBack = false;
  });
}

/** Records whose row has its end keep it; what their streams would have said is gone. */
function noteWhatIsOver(world: World): void {
  world.storeLost = true;
  for (const shard of world.shards)
    for (const { billerId, dpId, status } of shard.stored())
      if (isFinal(status)) world.overBefore.add(`${billerId}:${dpId}`);
}
