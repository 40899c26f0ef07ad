import { type Command } from 'commander';
import { printer } from '../../adapters/command-line/printer';
import { recordStory } from '../../adapters/command-line/record-story';
import { explainRecord } from '../../application/queries/explain-record';
import { parseRecordKey, recordKey, type RecordKey } from '../../domain/identifiers';
import { instant, type Instant } from '../../domain/instant';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, demandNone } from './operator-context';
import { answer, sourceLine, unreadLines } from './operator-output';
import { EXIT } from './problems';

export function addRecordCommands(program: Command): void {
  program
    .command('record')
    .description('look at one record')
    .command('explain')
    .description('the history of a record as a timeline: what, when, why, and what happens next')
    .argument('<record>', 'billerId:dpId')
    .option('--as-of <instant>', 'as it stood then, such as 2026-11-20T08:00:00Z')
    .action(async (record: string, _options, command: Command) => explain(record, command.optsWithGlobals()));
}

async function explain(text: string, options: GlobalOptions & { readonly asOf?: string }): Promise<void> {
  const problems: string[] = [];
  const key = recordKeyOf(text, '<record>', problems);
  const asOf = options.asOf === undefined ? undefined : instantOf(options.asOf, problems);
  demandNone(problems, options);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      shards: container.get(TOKENS.shards),
      profiles: container.get(TOKENS.profiles),
      snippets: () => container.get(TOKENS.snippets),
    };
    const explanation = await explainRecord(ports)(key!, { now: readAt, asOf });
    if (explanation.timeline.length === 0 && !explanation.row && explanation.unread.length === 0) {
      printer.complain([
        `datapump: no record ${text} is known: it has no row in a shard of its biller and no events in the event store`,
      ]);
      process.exitCode = EXIT.failed;
      return;
    }
    if (explanation.unread.length > 0) process.exitCode = EXIT.failed;
    answer(options, { readAt, ...explanation }, () => [
      ...recordStory(explanation),
      ...unreadLines(explanation.unread),
      sourceLine('event store (timeline, state), shards (row)', readAt),
    ]);
  });
}

export function recordKeyOf(text: string, where: string, problems: string[]): RecordKey | undefined {
  const ids = parseRecordKey(text);
  if (ids) return recordKey(ids.billerId, ids.dpId);
  problems.push(`${where}: found ${JSON.stringify(text)}, expected billerId:dpId, such as 12:100`);
  return undefined;
}

function instantOf(text: string, problems: string[]): Instant | undefined {
  try {
    return instant(text);
  } catch {
    problems.push(
      `--as-of: found ${JSON.stringify(text)}, expected an instant with an offset, from 1970 to 2099, such as 2026-11-20T08:00:00Z`,
    );
    return undefined;
  }
}
