import { type ClosingEvent } from '../../src/domain/delivery-attempt/delivery-attempt.decider';
import {
  type ClosedAttempt,
  effectOf,
  type OpenAttempt,
} from '../../src/domain/delivery-attempt/delivery-attempt.state';
import { type DpRecordCommand } from '../../src/domain/dp-record/dp-record.decider';
import { type KnownDpRecord } from '../../src/domain/dp-record/dp-record.state';
import { allowedPredecessors } from '../../src/domain/dp-record/row-status';
import { profileVersion } from '../../src/domain/identifiers';
import { type DoubtTerms, nextLookAt } from '../../src/domain/policies/in-doubt-resolution';
import { nextTry } from '../../src/domain/policies/retry-schedule';
import { callsOf, inquiryAnswers } from './biller-model';
import { type BillerKind, CALL_S, capabilityOf, QUARANTINE_S, type Rules } from './rules';
import {
  ABSENT,
  at,
  attemptOf,
  attempts,
  biller,
  type Consumer,
  type Doing,
  lockFrom,
  notSent,
  record,
  records,
  secondsOf,
  type Snapshot,
  withAttempt,
  withMessage,
  type World,
} from './world';

export interface Move {
  readonly label: string;
  readonly to: World;
}
type Busy = Exclude<Consumer, { doing: 'idle' }>;
type Is<Name extends Doing['doing']> = Extract<Busy, { doing: Name }>;

export const termsOf = (kind: BillerKind): DoubtTerms => ({
  quarantineMs: QUARANTINE_S * 1000,
  capability: capabilityOf(kind),
});
const RETRY = { kind: 'fixed', waitsMs: [1000], maxAgeMs: 1_000_000 } as const;

/** What one consumer can do next; each move is one read, or one write to one store, or one call. */
export class ConsumerModel {
  private readonly terms: DoubtTerms;

  constructor(
    private readonly rules: Rules,
    private readonly kind: BillerKind,
  ) {
    this.terms = termsOf(kind);
  }

  moves(world: World, who: 0 | 1): readonly Move[] {
    const self = world.consumers[who];
    if (self.doing === 'idle') return this.receive(world, who);
    const set = (next: World, doing: Doing | undefined): World => {
      const { chain, hop, lockedUntil } = self;
      const consumer: Consumer = doing === undefined ? { doing: 'idle' } : { chain, hop, lockedUntil, ...doing };
      return { ...next, consumers: who === 0 ? [consumer, world.consumers[1]] : [world.consumers[0], consumer] };
    };
    const crash: Move[] =
      world.faultsLeft > 0 && !this.rules.onlyCallsFail
        ? [{ label: `${self.doing}: crash`, to: set({ ...world, faultsLeft: world.faultsLeft - 1 }, undefined) }]
        : [];
    return [...this.perform(world, self, set), ...crash];
  }

  private receive(world: World, who: 0 | 1): readonly Move[] {
    return world.messages.flatMap((message, index) => {
      if (message.visibleAt > world.now || message.lockedUntil >= world.now) return [];
      const lockedUntil = lockFrom(world.now);
      const messages = world.messages.map((other, place) => (place === index ? { ...other, lockedUntil } : other));
      const consumer: Consumer = { chain: message.chain, hop: message.hop, lockedUntil, ...this.look(world) };
      return [
        {
          label: `receive ${message.chain}.${message.hop}`,
          to: {
            ...world,
            messages,
            consumers: who === 0 ? [consumer, world.consumers[1]] : [world.consumers[0], consumer],
          },
        },
      ];
    });
  }

  /** Reads record, row and attempt and asks for the step; or leaves the last read to the next move. */
  private look(world: World): Doing {
    const state = records.state(world.record) as KnownDpRecord;
    const seen = { record: world.record, row: world.row };
    switch (this.rules.reads) {
      case 'all-at-once':
        return this.nextDoing(world, seen);
      case 'row-before-attempt':
        return { doing: 'look', seen };
      case 'attempt-before-row':
        return { doing: 'look', seen: { ...seen, attempt: attemptOf(world, state.nextAttempt) } };
    }
  }

  private perform(world: World, self: Busy, set: (next: World, doing: Doing | undefined) => World): readonly Move[] {
    const one = (label: string, to: World): readonly Move[] => [{ label, to }];
    const again = (label: string, next: World): readonly Move[] => one(label, set(next, this.look(next)));
    switch (self.doing) {
      case 'look': {
        const seen = this.rules.reads === 'attempt-before-row' ? { ...self.seen, row: world.row } : self.seen;
        const doing = this.nextDoing(world, seen);
        return one(`look: ${doing.doing}`, set(world, doing));
      }
      case 'stop-history-behind':
        return [];
      case 'prepare':
        return [
          ...one(
            world.row.gone ? 'prepare: row is gone' : 'prepare',
            set(
              world,
              world.row.gone
                ? this.verdict(self, this.withdraw())
                : { doing: 'start', record: self.record, n: self.n, statedAt: world.now },
            ),
          ),
          ...this.throttled(world, self, set),
        ];
      case 'claim': {
        if (attemptOf(world, self.n) !== ABSENT) return again('claim: conflict', world);
        const claimed = attempts.append(ABSENT, [this.started(world.now, self.record, self.n, world.now), notSent]);
        const next = withAttempt(world, self.n, claimed);
        return one(
          'claim the attempt without sending',
          set(next, { doing: 'append-record', record: self.record, commands: self.commands }),
        );
      }
      case 'start':
        return this.start(world, self, set, again);
      case 'send':
        return this.send(world, self, set);
      case 'close':
        return again(`close: ${self.outcome.kind}`, this.close(world, self));
      case 'ask':
        return inquiryAnswers(world.biller, world.now)
          .filter(({ fault }) => !fault || world.faultsLeft > 0)
          .map(({ answer, fault }) => ({
            label: `ask: ${answer.answer}`,
            to: set(
              { ...world, faultsLeft: world.faultsLeft - (fault ? 1 : 0) },
              { doing: 'judge', n: self.n, attempt: self.attempt, record: self.record, answer, askedAt: world.now },
            ),
          }));
      case 'judge':
        return this.judge(world, self, set, again);
      case 'state-resend': {
        if (attemptOf(world, self.n) !== self.attempt) return again('state resend: conflict', world);
        const notAfter = self.statedAt + CALL_S;
        const decision = this.rules.decideAttempt(
          { type: 'StateResend', at: at(self.statedAt), notAfter: at(notAfter), ordinal: self.ordinal },
          attempts.state(self.attempt),
        );
        if (decision.outcome === 'refused') return again('state resend: refused', world);
        const stated = attempts.append(self.attempt, decision.events);
        return one(
          'state resend',
          set(withAttempt(world, self.n, stated), {
            doing: 'send',
            n: self.n,
            attempt: stated,
            notAfter,
            ofResend: true,
          }),
        );
      }
      case 'write-row': {
        const { status, gone } = world.row;
        const allowed = !gone && allowedPredecessors(self.status).includes(status);
        const row = allowed
          ? { status: self.status, details: Math.max(world.row.details, self.details), gone }
          : world.row;
        if (!gone && !allowed && status !== self.status) return again(`row ${status} refuses ${self.status}`, world);
        return one(
          `row ${self.status}`,
          set({ ...world, row }, { doing: 'append-record', record: self.record, commands: self.then }),
        );
      }
      case 'reopen': {
        const row = world.row.status === 'InDoubt' ? { ...world.row, status: 'Published' as const } : world.row;
        const next = withMessage({ ...world, row }, `x${self.n}`, 0, world.now);
        return one(
          'reopen the row with a new message',
          set(next, { doing: 'append-record', record: self.record, commands: self.commands }),
        );
      }
      case 'append-record': {
        if (world.record !== self.record) return again('append to record: conflict', world);
        const version = this.decideRecord(self.record, self.commands);
        return version === undefined
          ? again('record refuses', world)
          : again(self.commands.map(({ type }) => type).join(' + '), { ...world, record: version });
      }
      case 'send-successor': {
        const next = withMessage(world, self.chain, self.hop + 1, self.until);
        return one('send successor', set(next, self.completed ? undefined : { doing: 'complete' }));
      }
      case 'complete': {
        const mine = world.messages.findIndex(
          ({ chain, hop, lockedUntil }) =>
            chain === self.chain && hop === self.hop && lockedUntil === self.lockedUntil && world.now <= lockedUntil,
        );
        const next = mine < 0 ? world : { ...world, messages: world.messages.filter((_, index) => index !== mine) };
        return one(
          mine < 0 ? 'complete: lock lost' : 'complete',
          set(
            next,
            self.thenSuccessorAt === undefined
              ? undefined
              : { doing: 'send-successor', until: self.thenSuccessorAt, completed: true },
          ),
        );
      }
    }
  }

  private nextDoing(world: World, seen: Snapshot): Doing {
    const { row, record: version } = seen;
    const state = records.state(version) as KnownDpRecord;
    const attemptVersion = seen.attempt ?? attemptOf(world, state.nextAttempt);
    const attempt = attempts.state(attemptVersion);
    const details =
      row.details > 0 && !row.gone
        ? [
            {
              attempt: row.details,
              outcome: 'Delivered',
              billerReference: undefined,
              code: undefined,
              recordedAt: at(0),
            } as const,
          ]
        : [];
    const step = this.rules.nextDeliveryStep({
      record: state,
      attempt,
      row: row.gone ? undefined : { status: row.status, details },
      doubtTerms: attempt.status === 'open' ? this.terms : undefined,
      gate: undefined,
      now: at(world.now),
    });
    switch (step.step) {
      case 'complete':
        return { doing: 'complete' };
      case 'reconcile-row':
        return {
          doing: 'write-row',
          record: version,
          status: step.status,
          details: 0,
          then: [{ type: 'ConfirmReconciled', status: step.status }],
        };
      case 'conclude':
        return this.conclude(world, version, attempt as ClosedAttempt, step.attempt);
      case 'await-owner':
      case 'come-back':
      case 'park':
        return this.successor(secondsOf(step.until));
      case 'resolve-doubt':
        return this.resolve(world, version, attemptVersion, step.attempt);
      case 'start-attempt':
        return { doing: 'prepare', record: version, n: step.attempt };
      case 'stop-history-behind':
        return { doing: 'stop-history-behind' };
      case 'discover':
        throw new Error('the model starts with a discovered record');
    }
  }

  private conclude(world: World, version: number, { closing, started }: ClosedAttempt, n: number): Doing {
    const effect = effectOf(closing);
    if (effect !== 'not-executed') {
      const [status, type] =
        effect === 'accepted' ? (['Delivered', 'RecordDelivered'] as const) : (['Declined', 'RecordDeclined'] as const);
      return {
        doing: 'write-row',
        record: version,
        status,
        details: n,
        then: [
          { type, attempt: n },
          { type: 'ConfirmReconciled', status },
        ],
      };
    }
    const commands = [this.consequence(world, version, { closing, started }, n)];
    return records.state(version).status === 'in-doubt' && this.rules.leavesDoubtWithNewMessage
      ? { doing: 'reopen', n, record: version, commands }
      : { doing: 'append-record', record: version, commands };
  }

  private consequence(
    world: World,
    version: number,
    { closing, started }: Pick<ClosedAttempt, 'closing' | 'started'>,
    n: number,
  ): DpRecordCommand {
    const keyFirstUsedAt = started.keyFirstUsedAt ?? started.at;
    if (closing.as === 'throttled') {
      return { type: 'ParkDpRecord', cause: 'throttled', attempt: n, until: at(world.now + 1), keyFirstUsedAt };
    }
    const state = records.state(version) as KnownDpRecord;
    const spent = closing.as !== 'not-sent' || closing.code !== undefined;
    const next = nextTry(RETRY, {
      spentTries: state.spentTries + (spent ? 1 : 0),
      openedAt: state.openedAt,
      now: at(world.now),
      chance: 0,
    });
    return next.retry === 'at'
      ? { type: 'ScheduleRetry', attempt: n, at: next.at, spent, keyFirstUsedAt }
      : { type: 'DeadLetterDpRecord', attempt: n, reason: next.reason, description: '', keyFirstUsedAt };
  }

  private resolve(world: World, version: number, attemptVersion: number, n: number): Doing {
    const attempt = attempts.state(attemptVersion) as OpenAttempt;
    const step = this.rules.resolveDoubt(attempt, this.terms, at(world.now));
    switch (step.step) {
      case 'wait':
        return this.successor(secondsOf(step.until));
      case 'inquire':
        return { doing: 'ask', n, attempt: attemptVersion, record: version };
      case 'resend':
        return this.rules.resendFits(step.before, at(world.now + CALL_S))
          ? { doing: 'state-resend', n, attempt: attemptVersion, ordinal: step.ordinal, statedAt: world.now }
          : this.successor(secondsOf(step.before));
      case 'operator':
        return {
          doing: 'append-record',
          record: version,
          commands: [{ type: 'HoldInDoubt', attempt: n, cause: step.cause }],
        };
    }
  }

  private start(
    world: World,
    self: Is<'start'>,
    set: (next: World, doing: Doing) => World,
    again: (label: string, next: World) => readonly Move[],
  ): readonly Move[] {
    const standing = attemptOf(world, self.n);
    const notAfter = self.statedAt + CALL_S;
    if (standing !== ABSENT) {
      if (this.rules.drawsStartIdAfresh) return again('start: conflict', world);
      return [
        {
          label: 'start: idempotent success',
          to: set(world, { doing: 'send', n: self.n, attempt: standing, notAfter, ofResend: false }),
        },
      ];
    }
    const version = attempts.append(ABSENT, [this.started(self.statedAt, self.record, self.n, notAfter)]);
    return [
      {
        label: `start attempt ${self.n}`,
        to: set(withAttempt(world, self.n, version), {
          doing: 'send',
          n: self.n,
          attempt: version,
          notAfter,
          ofResend: false,
        }),
      },
    ];
  }

  private started(statedAt: number, version: number, n: number, notAfter: number) {
    const { keyFirstUsedAt } = records.state(version) as KnownDpRecord;
    return {
      type: 'DeliveryAttemptStarted',
      data: {
        billerId: biller,
        dpId: record,
        attempt: n,
        at: at(statedAt),
        notAfter: at(notAfter),
        idempotencyKey: this.rules.idempotencyKey(n),
        requestHash: 'hash',
        profileVersion: profileVersion('v1'),
        ...(keyFirstUsedAt === undefined ? {} : { keyFirstUsedAt }),
      },
    } as const;
  }

  private send(world: World, self: Is<'send'>, set: (next: World, doing: Doing) => World): readonly Move[] {
    const { n, attempt, notAfter, ofResend } = self;
    if (this.rules.looksAtClockBeforeSending && world.now > notAfter) {
      return [
        {
          label: 'too late to send',
          to: set(world, {
            doing: 'close',
            n,
            attempt,
            notAfter,
            ofResend,
            outcome: { kind: 'not-sent', lateByMs: 1 },
          }),
        },
      ];
    }
    return callsOf(world.biller, this.rules.idempotencyKey(n), Math.max(notAfter, world.now), world.now, this.kind)
      .filter(({ fault }) => !fault || world.faultsLeft > 0)
      .map(({ how, outcome, biller: next, fault }) => ({
        label: `${ofResend ? 'resend' : 'send'}: ${how}`,
        to: set(
          { ...world, biller: next, faultsLeft: world.faultsLeft - (fault ? 1 : 0) },
          { doing: 'close', n, attempt, notAfter, ofResend, outcome },
        ),
      }));
  }

  /** On a conflict the caller loads and decides again, with the evidence it has. */
  private close(world: World, { n, outcome, ofResend }: Is<'close'>): World {
    const closing = this.rules.closingEvent(outcome, ofResend);
    return closing === undefined ? world : this.closeAttempt(world, n, closing, 0);
  }

  private closeAttempt(world: World, n: number, closing: ClosingEvent, resendsSeen: number): World {
    const version = attemptOf(world, n);
    const decision = this.rules.decideAttempt({ type: 'CloseAttempt', closing, resendsSeen }, attempts.state(version));
    return decision.outcome === 'refused' || decision.events.length === 0
      ? world
      : withAttempt(world, n, attempts.append(version, decision.events));
  }

  private judge(
    world: World,
    self: Is<'judge'>,
    set: (next: World, doing: Doing) => World,
    again: (label: string, next: World) => readonly Move[],
  ): readonly Move[] {
    const attempt = attempts.state(self.attempt) as OpenAttempt;
    const judged = this.rules.judgeInquiry(self.answer, attempt, this.terms, at(self.askedAt));
    if (judged.judged === 'operator') {
      return [
        {
          label: 'judge: operator',
          to: set(world, {
            doing: 'append-record',
            record: self.record,
            commands: [{ type: 'HoldInDoubt', attempt: self.n, cause: judged.cause }],
          }),
        },
      ];
    }
    if (judged.judged === 'too-early')
      return [{ label: 'judge: too early', to: set(world, this.successor(secondsOf(judged.until))) }];
    if (this.rules.appendsInquiryAtRevisionRead && attemptOf(world, self.n) !== self.attempt)
      return again('judge: conflict', world);
    if (judged.judged === 'closed') {
      const closing: ClosingEvent = { type: 'DeliveryAttemptResolvedByInquiry', data: { outcome: judged.outcome } };
      return again(
        `resolved by inquiry: ${judged.outcome}`,
        this.closeAttempt(world, self.n, closing, attempt.resends),
      );
    }
    const { pending, cannotTell, unavailable } = attempt.inquiries;
    const decision = this.rules.decideAttempt(
      {
        type: 'RecordInquiry',
        answer: judged.answer,
        at: at(world.now),
        observation: pending + cannotTell + unavailable + 1,
      },
      attempts.state(self.attempt),
    );
    const next =
      decision.outcome === 'accepted'
        ? withAttempt(world, self.n, attempts.append(self.attempt, decision.events))
        : world;
    return [
      {
        label: `noted: ${judged.answer}`,
        to: set(next, this.successor(secondsOf(nextLookAt(attempt, at(world.now))))),
      },
    ];
  }

  private decideRecord(version: number, commands: readonly DpRecordCommand[]): number | undefined {
    let next = version;
    for (const command of commands) {
      const decision = this.rules.decideRecord(command, records.state(next));
      if (decision.outcome === 'refused') return undefined;
      if (decision.events.length > 0) next = records.append(next, decision.events);
    }
    return next;
  }

  private readonly withdraw = (): DpRecordCommand => ({ type: 'WithdrawDpRecord', at: at(0) });

  /** The biller has asked somebody else to slow down: no permit, for now, or no longer than its age allows. */
  private throttled(world: World, self: Is<'prepare'>, set: (next: World, doing: Doing) => World): readonly Move[] {
    if (world.faultsLeft === 0) return [];
    const next = { ...world, faultsLeft: world.faultsLeft - 1 };
    const tooOld: DpRecordCommand = {
      type: 'DeadLetterDpRecord',
      reason: 'TooOld',
      description: '',
      ...(this.rules.claimsAttemptBeforeVerdict ? { attempt: self.n } : {}),
    };
    const parked =
      world.record === self.record
        ? this.decideRecord(self.record, [{ type: 'ParkDpRecord', cause: 'throttled', until: at(world.now + 1) }])
        : undefined;
    return [
      parked === undefined
        ? { label: 'park: conflict', to: set(next, this.look(next)) }
        : { label: 'prepare: throttled, parks', to: set({ ...next, record: parked }, this.successor(world.now + 1)) },
      { label: 'prepare: throttled until its time is over', to: set(next, this.verdict(self, tooOld)) },
    ];
  }

  private verdict({ record: version, n }: Is<'prepare'>, ending: DpRecordCommand): Doing {
    return this.rules.claimsAttemptBeforeVerdict
      ? { doing: 'claim', record: version, n, commands: [ending] }
      : { doing: 'append-record', record: version, commands: [ending] };
  }

  private successor(until: number): Doing {
    return this.rules.sendsSuccessorBeforeCompleting
      ? { doing: 'send-successor', until, completed: false }
      : { doing: 'complete', thenSuccessorAt: until };
  }
}
