/** One deliberate defect: a text of one source file, which must stand there exactly once, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  /** The rule of the protocol (DESIGN §4) or the port's law that it breaks. */
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const APPLICATION = 'src/application';
const DOMAIN = 'src/domain';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'completes before recording the result',
    rule: 'rule 0',
    file: `${APPLICATION}/conclude-attempt.ts`,
    find: 'await writeResult(ports, delivery, attempt, closing, now);',
    replace: '',
  },
  {
    name: 'completes on a conflict without a successor',
    rule: 'rule 0',
    file: `${APPLICATION}/deliver-record.ts`,
    find: "ports.telemetry.count('delivery.conflicts');",
    replace: "return { settle: 'complete' };",
  },
  {
    name: 'parks without a successor',
    rule: 'rule 0',
    file: `${APPLICATION}/delivery.ts`,
    find: 'await sendSuccessor(ports, settings, delivery, gate.until);',
    replace: '',
  },
  {
    name: 'retries without a successor',
    rule: 'rule 0',
    file: `${APPLICATION}/conclude-attempt.ts`,
    find: 'await sendSuccessor(ports, settings, delivery, next.at, ordinal === undefined ? undefined : sweepChain(ordinal));',
    replace: '',
  },
  {
    name: 'completes while the successor is still being sent',
    rule: 'rule 0',
    file: `${APPLICATION}/delivery.ts`,
    find: 'await ports.bus.send(settings.eventsTopic, [successor]);',
    replace: 'void ports.bus.send(settings.eventsTopic, [successor]).catch(() => undefined);',
  },
  {
    name: 'sends the successor under the message id in hand',
    rule: 'rule 0',
    file: `${APPLICATION}/message-chain.ts`,
    find: 'hop: link.hop + 1',
    replace: 'hop: link.hop',
  },
  {
    name: 'completes before handling',
    rule: 'rule 0',
    file: `${APPLICATION}/receive-loop.ts`,
    find: 'const settlement = await handleThroughOutages(options, message);',
    replace: 'await receiver.complete(message); const settlement = await handleThroughOutages(options, message);',
  },
  {
    name: 'completes what it failed to handle',
    rule: 'rule 0',
    file: `${APPLICATION}/receive-loop.ts`,
    find: "await settle(options, 'abandon', () => receiver.abandon(message));",
    replace: "await settle(options, 'abandon', () => receiver.complete(message));",
  },
  {
    name: 'completes a message that breaks its contract',
    rule: 'rule 1',
    file: `${APPLICATION}/deliver-record.ts`,
    find: "return { settle: 'dead-letter', reason: 'InvalidContract', description: checked.problems.join('; ').slice(0, 1_000) };",
    replace: "return { settle: 'complete' };",
  },
  {
    name: 'confirms a row that it did not write',
    rule: 'rule 2',
    file: `${APPLICATION}/deliver-record.ts`,
    find: 'const result = await delivery.shard.reconcile(rowResultOf(delivery.record.state, delivery.message.dpId, now));',
    replace: "const result = 'applied' as string;",
  },
  {
    name: 'resolves an open attempt at once',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: 'plusMs(attempt.ownedUntil, terms.quarantineMs);',
    replace: 'attempt.started.at;',
  },
  {
    name: 'inquires without waiting for the quarantine',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: 'plusMs(attempt.ownedUntil, terms.quarantineMs);',
    replace: 'attempt.ownedUntil;',
  },
  {
    name: 'trusts an absence within the lag of the inquiry',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: "return askedAt < trustedFrom ? { judged: 'too-early', until: trustedFrom } : { judged: 'closed', outcome: 'not-executed' };",
    replace: "return { judged: 'closed', outcome: 'not-executed' };",
  },
  {
    name: 'takes an inquiry that cannot tell for an absence',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: "    case 'pending':\n    case 'cannot-tell':\n",
    replace: "    case 'cannot-tell': return { judged: 'closed', outcome: 'not-executed' };\n    case 'pending':\n",
  },
  {
    name: 'judges doubt by the present profile',
    rule: 'rule 4',
    file: `${APPLICATION}/deliver-record.ts`,
    find: 'ports.profiles.version(message.billerId, attempt.state.started.profileVersion)',
    replace: 'ports.profiles.current(message.billerId)',
  },
  {
    name: 'sends again to a biller without keys',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: 'if (!keys || attempt.resends >= RESENDS_MAX) return undefined;',
    replace:
      "const keysOrNot = keys ?? { retentionMs: 3_600_000, marginMs: 0 }; if (attempt.resends < RESENDS_MAX) return { step: 'resend', before: plusMs(attempt.started.at, keysOrNot.retentionMs), ordinal: attempt.resends + 1 }; if (!keys) return undefined;",
  },
  {
    name: 'sends again after the keys are forgotten',
    rule: 'rule 4',
    file: `${DOMAIN}/policies/in-doubt-resolution.ts`,
    find: 'keys.retentionMs - keys.marginMs - terms.quarantineMs',
    replace: 'keys.retentionMs + 36_000_000',
  },
  {
    name: 'sends again without stating it',
    rule: 'rule 4',
    file: `${APPLICATION}/resolve-in-doubt.ts`,
    find: "delivery.attempt = await ports.history.appendToAttempt(delivery.key, doubt.number, delivery.attempt, decision.events, at);\n    crashPoint('doubt.after-resend-stated');\n    const outcome",
    replace: 'const outcome',
  },
  {
    name: 'lets a resend end before its own notAfter',
    rule: 'rule 4',
    file: `${DOMAIN}/delivery-attempt/delivery-attempt.state.ts`,
    find: 'latest(state.ownedUntil, event.data.notAfter)',
    replace: 'state.ownedUntil',
  },
  {
    name: 'lets a refused resend close the attempt',
    rule: 'rule 4',
    file: `${APPLICATION}/resolve-in-doubt.ts`,
    find: `const closing = closingEventOfResend(outcome);
    const answeredAt = await ports.shardClock.atLeast(delivery.shard);
    if (closing) {
      await closeAttempt(ports, delivery, doubt.number, closing, answeredAt);`,
    replace: `const closing = closingEventOfResend(outcome)
      ?? (outcome.kind === 'unknown' ? undefined : { type: 'DeliveryAttemptNotExecuted' as const, data: { code: 'refused' } });
    const answeredAt = await ports.shardClock.atLeast(delivery.shard);
    if (closing) {
      await closeAttempt(ports, delivery, doubt.number, closing, answeredAt, 99);`,
  },
  {
    name: 'lets an old "not executed" close an attempt that was sent again',
    rule: 'rule 4',
    file: `${DOMAIN}/delivery-attempt/delivery-attempt.decider.ts`,
    find: "if (outcomeOf(command.closing) === 'not-executed' && state.resends > (command.resendsSeen ?? 0)) return refused('attempt-resent');",
    replace: '',
  },
  {
    name: 'withdraws a record without owning its next attempt',
    rule: 'rule 5',
    file: `${APPLICATION}/start-attempt.ts`,
    find: "    await claimWithoutCall(ports, delivery, record, profile.version, now);\n    await decideRecord(ports, delivery, [{ type: 'WithdrawDpRecord', at: now }], now);",
    replace: "    await decideRecord(ports, delivery, [{ type: 'WithdrawDpRecord', at: now }], now);",
  },
  {
    name: 'shares one start id between claimants',
    rule: 'rule 6',
    file: `${APPLICATION}/history.ts`,
    find: 'id: chance.uuid(), type, data, metadata',
    replace: "id: type === 'DeliveryAttemptStarted' ? `start-${stream}` : chance.uuid(), type, data, metadata",
  },
  {
    name: 'calls before the intent is stored',
    rule: 'rule 6',
    file: `${APPLICATION}/start-attempt.ts`,
    find: "  delivery.attempt = await ports.history.appendToAttempt(delivery.key, attempt, delivery.attempt, decision.events, at);\n  crashPoint('consumer.after-start-stated');\n  delivery.attemptProfile = profile;\n  return call.send({ since, sendWithinMs: profile.timeoutMs });",
    replace:
      '  const early = await call.send({ since, sendWithinMs: profile.timeoutMs });\n  delivery.attempt = await ports.history.appendToAttempt(delivery.key, attempt, delivery.attempt, decision.events, at);\n  return early;',
  },
  {
    name: 'swallows a version conflict',
    rule: 'rule 6',
    file: `${APPLICATION}/history.ts`,
    find: 'if (!(error instanceof PortFailure) || !error.retryable || repeat >= repeatsMax) throw error;',
    replace:
      "if ((error as Error).name === 'VersionConflict') return { revision: expected === 'new' ? batch.length - 1 : expected + batch.length };\n        if (!(error instanceof PortFailure) || !error.retryable || repeat >= repeatsMax) throw error;",
  },
  {
    name: 'appends at whatever revision stands',
    rule: 'rule 6',
    file: `${APPLICATION}/history.ts`,
    find: 'if (!(error instanceof PortFailure) || !error.retryable || repeat >= repeatsMax) throw error;',
    replace:
      "if ((error as Error).name === 'VersionConflict' && repeat < 3) { expected = (error as unknown as { actual: ExpectedRevision }).actual; continue; }\n        if (!(error instanceof PortFailure) || !error.retryable || repeat >= repeatsMax) throw error;",
  },
  {
    name: 'draws a fresh key for each attempt',
    rule: 'rule 6',
    file: `${APPLICATION}/start-attempt.ts`,
    find: 'ports.digest(`datapump:${delivery.key}`).slice(0, 32);',
    replace:
      'ports.digest(`datapump:${delivery.key}:${JSON.stringify((delivery as unknown as { record?: { revision: unknown } }).record?.revision)}`).slice(0, 32);',
  },
  {
    name: 'does not look at the clock before sending',
    rule: 'rule 7',
    file: `${APPLICATION}/start-attempt.ts`,
    find: 'return call.send({ since, sendWithinMs: profile.timeoutMs });',
    replace: 'return call.send({ since: ports.clock.monotonicMs(), sendWithinMs: profile.timeoutMs });',
  },
  {
    name: 'takes an answer of 500 for "not executed"',
    rule: 'rule 8',
    file: `${DOMAIN}/policies/delivery-outcome.ts`,
    find: "    case 'unknown':\n      return undefined;",
    replace: "    case 'unknown':\n      return { type: 'DeliveryAttemptNotExecuted', data: { code: outcome.code } };",
  },
  {
    name: 'takes a throttle for a business "no"',
    rule: 'rule 8',
    file: `${DOMAIN}/policies/delivery-outcome.ts`,
    find: "type: 'DeliveryAttemptThrottled',\n        data: { retryAfterMs: Math.min(RETRY_AFTER_MAX_MS, Math.max(RETRY_AFTER_MIN_MS, outcome.retryAfterMs)) },",
    replace: "type: 'DeliveryAttemptDeclined',\n        data: { httpStatus: 429 },",
  },
  {
    name: 'closes an attempt twice',
    rule: 'rule 8',
    file: `${DOMAIN}/delivery-attempt/delivery-attempt.decider.ts`,
    find: "if (state.status === 'closed') return observeLate(command.closing, state);",
    replace: "if (state.status === 'closed') return accepted<DeliveryAttemptEvent>(command.closing);",
  },
  {
    name: 'starts the next attempt beside an open one',
    rule: 'rule 8',
    file: `${DOMAIN}/policies/delivery-step.ts`,
    find: "if (attempt.status === 'open') {",
    replace: "if (attempt.status === 'open' && attempt.unknowns < 0) {",
  },
  {
    name: 'overwrites a result from the fetcher',
    rule: 'rule 9',
    file: `${APPLICATION}/fetch-rows.ts`,
    find: "[{ dpId, to: 'Published', from: ['Queued'] }]",
    replace: "[{ dpId, to: 'Published', from: ['Queued', 'Published', 'Delivered', 'Declined', 'InDoubt', 'Failed'] }]",
  },
  {
    name: 'counts attempts anew after a redrive',
    rule: 'rule 10',
    file: `${DOMAIN}/dp-record/dp-record.state.ts`,
    find: 'openedAt: event.data.at, spentTries: 0,',
    replace: 'openedAt: event.data.at, spentTries: 0, nextAttempt: 1,',
  },
  {
    name: 'redrives under a message id used before',
    rule: 'rule 10',
    file: `${APPLICATION}/message-chain.ts`,
    find: '({ chain: `r${ordinal}`, hop: 0 })',
    replace: "({ chain: '' as `r${number}`, hop: ordinal - ordinal })",
  },
  {
    name: 'sweeps under a message id used before',
    rule: 'the row owns the duty',
    file: `${APPLICATION}/message-chain.ts`,
    find: '({ chain: `s${ordinal}`, hop: 0 })',
    replace: "({ chain: '' as `s${number}`, hop: ordinal - ordinal })",
  },
  {
    name: 'has no sweep',
    rule: 'the row owns the duty',
    file: `${APPLICATION}/sweep-stalled.ts`,
    find: 'let swept = 0;',
    replace: 'let swept = 0; if (swept === 0) return swept;',
  },
  {
    name: 'never marks an outbox row',
    rule: 'the outbox drains',
    file: `${APPLICATION}/relay-outbox.ts`,
    find: 'await shard.markPublished(chunks.map((chunk) => chunk.chunkId));',
    replace: '',
  },
  {
    name: 'completes a chunk whose rows it did not publish',
    rule: 'rule 0',
    file: `${APPLICATION}/fetch-rows.ts`,
    find: 'if (messages.length > 0) await ports.bus.send(settings.eventsTopic, messages);',
    replace: '',
  },
  {
    name: 'claims without looking at the status (in the shard of the simulator)',
    rule: 'law 1 of the shard',
    file: 'test/simulation/world/memory-shard.ts',
    find: "row.status === 'New' && row.dueAt <= now",
    replace: "row.status !== 'Delivered' && row.dueAt <= now",
  },
  {
    name: 'writes an account number into the log',
    rule: 'no secrets',
    file: `${APPLICATION}/conclude-attempt.ts`,
    find: "ports.telemetry.count('delivery.results', 1, { status: to });",
    replace: "ports.telemetry.info('result', { account: delivery.row?.customer?.accountNumber });",
  },
];
