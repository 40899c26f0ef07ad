import { type Command } from 'commander';
import { verificationText } from '../../adapters/command-line/verification-text';
import { type Progress, startProgress } from '../../adapters/command-line/progress';
import { verifyHistory } from '../../application/queries/verify-history';
import { instant, type Instant } from '../../domain/instant';
import { sealKeysOf } from '../container/seal-keys';
import { TOKENS } from '../container/tokens';
import { type GlobalOptions } from './command-context';
import { asOperator, demandNone } from './operator-context';
import { answer } from './operator-output';
import { EXIT } from './problems';

export function addHistoryVerifyCommand(history: Command): void {
  history
    .command('verify')
    .description('compare every event with the seals made over it; exit code 1 where anything differs')
    .option('--since <instant>', 'what was sealed since then alone, such as 2026-11-20T00:00:00Z')
    .action(async (_options, command: Command) => verify(command.optsWithGlobals()));
}

async function verify(options: GlobalOptions & { readonly since?: string }): Promise<void> {
  const problems: string[] = [];
  const since = options.since === undefined ? undefined : sinceOf(options.since, problems);
  demandNone(problems);
  await asOperator(options, async ({ container, readAt }) => {
    const ports = {
      eventStore: container.get(TOKENS.eventStore),
      eventLog: container.get(TOKENS.eventLog),
      witnesses: container.getAll(TOKENS.sealWitnesses).flatMap((witnesses) => witnesses()),
      cryptography: await sealKeysOf(container),
    };
    let progress: Progress | undefined;
    const verification = await verifyHistory(ports)(since, ({ events, seal, sealsKnown }) => {
      progress ??= startProgress({ label: 'seals', total: sealsKnown });
      progress.update(seal, `${events} events`);
    });
    progress?.finish();
    if (verification.differencesFound > 0) process.exitCode = EXIT.failed;
    answer(options, { readAt, since, agrees: verification.differencesFound === 0, ...verification }, () =>
      verificationText(verification, readAt, since),
    );
  });
}

function sinceOf(text: string, problems: string[]): Instant | undefined {
  try {
    return instant(text);
  } catch {
    problems.push(
      `--since: found ${JSON.stringify(text)}, expected an instant with an offset, such as 2026-11-20T00:00:00Z`,
    );
    return undefined;
  }
}
