import { type Declaration, DECLARATIONS } from './declarations';

const HEAD = `# Settings

Printed from \`src/bootstrap/configuration/declarations.ts\` by \`npm run settings:document\`; a test fails where this page is behind.

Defaults < file (\`datapump.config.json\`, \`.yaml\` or \`.yml\` in the working directory, or the file named on the command line) <
environment. \`Scanner:SleepSeconds\` is \`{ "Scanner": { "SleepSeconds": 5 } }\` in a file and \`Scanner__SleepSeconds=5\` in the
environment; lists and maps are JSON there, lists may also be words with commas between. Wrong, unknown and contradictory
settings are reported all together, with exit code 2.

| setting | default | unit | value | what for |
|---|---|---|---|---|
`;

/** docs/SETTINGS.md, whole. */
export function settingsDocument(): string {
  const rows = Object.entries(DECLARATIONS).map(([key, declared]) => {
    const declaration: Declaration = declared;
    const secret = declaration.secret ? ' Secret.' : '';
    return `| \`${key}\` | ${shown(declaration.default)} | ${declaration.unit ?? ''} | ${declaration.kind.expected} | ${declaration.sentence}${secret} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

const shown = (value: unknown): string =>
  value === '' || (Array.isArray(value) && value.length === 0)
    ? 'empty'
    : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
