import { dpRecordDecider, type DpRecordCommand } from '../../src/domain/dp-record/dp-record.decider';
import { fold } from '../../src/domain/decider';
import { customerId, paymentId } from '../../src/domain/identifiers';
import { discover, discovered, validated } from '../support/events';

type Discover = Extract<DpRecordCommand, { type: 'DiscoverDpRecord' }>;

/** After a shard was restored, its platform may give an id again that a record of the lost time has. */
describe('an id that is used again for something else (issue 8, no 4)', () => {
  const { discovery, verdict } = discover() as Discover;
  const { paymentId: _, amount: __, ...choice } = discovery;
  const known = fold(dpRecordDecider, [discovered(), validated()]);
  const knownChoice = fold(dpRecordDecider, [
    { type: 'DpRecordDiscovered', data: { ...choice, dataType: 'Paperless' } },
    validated(),
  ]);
  const again = (changes: Partial<Discover['discovery']>, from: Discover['discovery'] = discovery) =>
    ({ type: 'DiscoverDpRecord', discovery: { ...from, ...changes }, verdict }) as const;
  const conflict = { outcome: 'refused', refusal: 'identity-conflict' };

  it.each([
    ['another payment', known, again({ paymentId: paymentId('99') })],
    ['another type', known, again({ dataType: 'ACHRejects' })],
    ["another customer's choice", knownChoice, again({ dataType: 'Paperless', customerId: customerId('8') }, choice)],
  ] as const)('%s is told', (_what, state, command) => {
    expect(dpRecordDecider.decide(command, state)).toEqual(conflict);
    const { discovery: met } = command;
    expect(dpRecordDecider.decide({ type: 'HoldUnderLostHistory', discovery: met, attempt: 1 }, state)).toEqual(
      conflict,
    );
  });

  it.each([
    ['the same payment, whose customer was put right', known, again({ customerId: customerId('8') })],
    ['the same choice', knownChoice, again({ dataType: 'Paperless' }, choice)],
  ] as const)('%s is the same', (_what, state, command) => {
    expect(dpRecordDecider.decide(command, state)).toEqual({ outcome: 'accepted', events: [] });
  });
});
