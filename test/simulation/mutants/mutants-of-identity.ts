import { type Mutant } from './mutant';

const RULE = 'an id means one thing';
const aim = {
  kinds: ['id-used-again', 'process-crash-after-effect', 'bus-outage', 'store-outage', 'operator-pauses'],
} as const;

/** A read model that forgets what stood in it. */
export const MUTANTS_OF_PROJECTION: readonly Mutant[] = [
  {
    name: 'projects a page as if nothing stood there before',
    rule: 'the details say what the stream says',
    file: 'src/application/queries/project-records.ts',
    find: 'const before = await projection.find(keys);',
    replace: 'await projection.find(keys); const before = new Map<RecordKey, ProjectedRecord>();',
    on: 'sqlite',
    shows: /^projection:/,
  },
];

/** What follows from an id that its owner used again, passed over. */
export const MUTANTS_OF_IDENTITY: readonly Mutant[] = [
  {
    name: 'ends a conflict of identity in its message alone',
    rule: RULE,
    file: 'src/application/delivering/start-attempt.ts',
    find: 'if (isAnother(row, record)) {',
    replace:
      "if (isAnother(row, record)) return deadLettered({ reason: 'IdentityConflict', description: IDENTITY_CONFLICT }); if (row.billerId !== profile.billerId) {",
    shows: /^stuck: .* Published/,
    aim,
  },
  {
    name: 'calls for what an id has come to mean',
    rule: RULE,
    file: 'src/application/delivering/start-attempt.ts',
    find: 'if (isAnother(row, record)) {',
    replace: 'if (isAnother(row, { ...record, paymentId: row.paymentId, customerId: row.customerId })) {',
    shows: /of the payment that its id came to mean later/,
    aim,
  },
  {
    name: 'writes the result of a record to a row that means something else',
    rule: RULE,
    file: 'src/application/delivering/record-moves.ts',
    find: 'row.billerId !== record.billerId || isAnother(row, record);',
    replace: 'row.billerId !== record.billerId && isAnother(row, record);',
    shows: /a row whose id has come to mean something else/,
    suites: ['test/application/identity-conflict'],
  },
  {
    name: 'leaves an open record alone whose id means something else',
    rule: RULE,
    file: 'src/application/fetching/fetch-rows.ts',
    find: "open: state.status === 'pending' };",
    replace: "open: state.status === 'withdrawn' };",
    shows: /no message of \S+ was ever accepted|its row says Failed, its stream pending/,
    aim,
  },
];
