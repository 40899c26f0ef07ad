import { hostname, userInfo } from 'node:os';

/** Variables that say more of the person behind a shared user: set by sudo, and by whoever runs a bastion or a job in production. */
const SAID_BY_THE_PLATFORM = ['SUDO_USER', 'DATAPUMP_OPERATOR'] as const;
const TEXT_MAX = 100;

/**
 * Who runs this process as the operating system knows it, `user@host`, with what the platform's variables add:
 * `root@ops-1 (DATAPUMP_OPERATOR: ana@bank.example)`. A variable can be set by hand, so it never replaces the user.
 */
export function operatorIdentity(
  environment: Readonly<Record<string, string | undefined>>,
  system: { readonly user: () => string; readonly host: () => string } = { user: systemUser, host: hostname },
): string {
  const added = SAID_BY_THE_PLATFORM.flatMap((name) => {
    const value = environment[name]?.trim().slice(0, TEXT_MAX);
    return value === undefined || value === '' ? [] : [`${name}: ${value}`];
  });
  return `${system.user()}@${system.host()}${added.length === 0 ? '' : ` (${added.join(', ')})`}`;
}

/** In a container the user often has no name: its number is what the system knows. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
