import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { Database } from '../../src/adapters/shared/sqlite-driver';
import { sealCryptography } from '../../src/adapters/system/seal-cryptography';
import { digestOfSeal, idOfSeal, type Seal } from '../../src/application/history/history-seal';
import { type SealedStore, sealedStore, type StoreKind } from '../support/sealed-store';

const KINDS: readonly StoreKind[] = ['SQLite', 'EventStoreDB'];
const STREAMS = 30;
const EVENTS_EACH = 4;

interface Target {
  readonly name: string;
  readonly position: number;
  readonly stream: number;
  readonly revision: number;
}

/** Any event that is no seal, by its place. */
function target(database: Database, place: number): Target {
  const rows = database
    .prepare(
      `SELECT s.name || '@' || e.revision AS name, e.position, e.stream, e.revision FROM event e JOIN stream s ON s.id = e.stream
       WHERE s.name LIKE 'dpRecord-%' ORDER BY e.position`,
    )
    .all() as Target[];
  return rows[place % rows.length]!;
}

/** An event's own part: a column of the embedded store, a member of the record that the wire peer keeps. */
function change(
  database: Database,
  kind: StoreKind,
  { position }: Target,
  part: 'id' | 'type' | 'data' | 'metadata',
  edit: (old: string) => string,
): void {
  if (kind === 'SQLite') {
    const old = database.prepare(`SELECT ${part} FROM event WHERE position = ?`).pluck().get(position) as string;
    database.prepare(`UPDATE event SET ${part} = ? WHERE position = ?`).run(edit(old), position);
    return;
  }
  const member = part === 'metadata' ? 'customMetadata' : part;
  const record = JSON.parse(
    database.prepare('SELECT data FROM event WHERE position = ?').pluck().get(position) as string,
  ) as Record<string, string>;
  record[member] = wire(edit(plain(record[member]!, part)), part);
  database.prepare('UPDATE event SET data = ? WHERE position = ?').run(JSON.stringify(record), position);
}

/** The wire peer keeps bytes as base64. */
const isBytes = (part: string): boolean => part === 'data' || part === 'metadata';
const plain = (text: string, part: string): string => (isBytes(part) ? Buffer.from(text, 'base64').toString() : text);
const wire = (text: string, part: string): string => (isBytes(part) ? Buffer.from(text).toString('base64') : text);

interface Tampering {
  readonly what: string;
  readonly only?: StoreKind;
  /** Does it; which events must be named. */
  readonly work: (database: Database, kind: StoreKind, place: number, other: number) => readonly string[];
}

const exchanged = (database: Database, one: number, other: number): void => {
  const move = database.prepare('UPDATE event SET position = ? WHERE position = ?');
  move.run(999_999, one);
  move.run(one, other);
  move.run(other, 999_999);
};

const TAMPERINGS: readonly Tampering[] = [
  ...(['data', 'metadata'] as const).map((part): Tampering => ({
    what: `${part} is edited`,
    work: (database, kind, place) => {
      const found = target(database, place);
      change(database, kind, found, part, (old) => old.replace(/\d/, (digit) => String((Number(digit) + 1) % 10)));
      return [found.name];
    },
  })),
  {
    what: 'the type is edited',
    work: (database, kind, place) => {
      const found = target(database, place);
      change(database, kind, found, 'type', () => 'DpRecordDelivered');
      return [found.name];
    },
  },
  {
    what: 'the id is edited',
    work: (database, kind, place) => {
      const found = target(database, place);
      change(database, kind, found, 'id', () => randomUUID());
      return [found.name];
    },
  },
  {
    what: 'blanks are put into its data',
    work: (database, kind, place) => {
      const found = target(database, place);
      change(database, kind, found, 'data', (old) => old.replace(':', ': '));
      return [found.name];
    },
  },
  {
    what: 'two events change places in the order of all',
    work: (database, _kind, place, other) => {
      const [one, two] = [target(database, place), target(database, place + 1 + other)];
      if (one.position === two.position) return [];
      exchanged(database, one.position, two.position);
      return [one.name, two.name];
    },
  },
  {
    what: 'two events of one stream change places in it',
    work: (database, _kind, place) => {
      const { stream, name } = target(database, place);
      const move = database.prepare('UPDATE event SET revision = ? WHERE stream = ? AND revision = ?');
      move.run(77, stream, 0);
      move.run(0, stream, 1);
      move.run(1, stream, 77);
      return [name.replace(/@.*/, '@0'), name.replace(/@.*/, '@1')];
    },
  },
  {
    what: 'an event is deleted',
    work: (database, _kind, place) => {
      const found = target(database, place);
      database.prepare('DELETE FROM event WHERE position = ?').run(found.position);
      return [found.name];
    },
  },
  {
    what: 'an event is put in where one was deleted',
    work: (database, _kind, place) => {
      const found = target(database, place);
      database.prepare('UPDATE event SET revision = 50 WHERE position = ?').run(found.position);
      return [found.name, found.name.replace(/@.*/, '@50')];
    },
  },
  {
    what: 'a stream is deleted',
    work: (database, _kind, place) => {
      const { stream, name } = target(database, place);
      database.prepare('DELETE FROM event WHERE stream = ?').run(stream);
      return [0, 1, 2, 3].map((revision) => name.replace(/@.*/, `@${revision}`));
    },
  },
  {
    what: 'a stream is renamed',
    work: (database, _kind, place) => {
      const { stream, name } = target(database, place);
      database.prepare('UPDATE stream SET name = ? WHERE id = ?').run('dpRecord-99:9', stream);
      return [name, 'dpRecord-99:9@0'];
    },
  },
  {
    what: 'an event is put in before all others',
    only: 'SQLite',
    work: (database, _kind, place) => {
      const { stream, name } = target(database, place);
      database
        .prepare(
          `INSERT INTO event (position, stream, revision, batch_events, category, id, type, data, metadata) VALUES (-5, ?, 4, 1, 'dpRecord', 'x', 'DpRecordDelivered', '{}', '{}')`,
        )
        .run(stream);
      return [name.replace(/@.*/, '@4')];
    },
  },
  {
    what: 'an event is hidden from the readers of its category',
    only: 'SQLite',
    work: (database, _kind, place) => {
      const found = target(database, place);
      database.prepare(`UPDATE event SET category = 'nothing' WHERE position = ?`).run(found.position);
      return [found.name];
    },
  },
  {
    what: 'its data become bytes of another kind',
    only: 'SQLite',
    work: (database, _kind, place) => {
      const found = target(database, place);
      database.prepare('UPDATE event SET data = CAST(data AS BLOB) WHERE position = ?').run(found.position);
      return [found.name];
    },
  },
];

describe.each(KINDS)('the history in %s that somebody changed below datapump (issue 8, no 13)', (kind) => {
  let world: SealedStore;
  beforeEach(async () => {
    world = await sealedStore(kind);
    await world.fill(STREAMS, EVENTS_EACH);
    await world.seal();
    await world.fill(STREAMS, EVENTS_EACH);
    await world.seal();
  });
  afterEach(() => world.close());

  it('agrees where nobody did, and says what was read', async () => {
    await world.fill(1, 3);
    expect(await world.verify()).toMatchObject({
      differences: [],
      differencesFound: 0,
      events: 2 * STREAMS * EVENTS_EACH + 3 + 2,
      seals: { from: 1, to: 2 },
      unsealed: { events: 3, since: '2026-05-28T20:26:40.000Z' },
      signatures: { keyGiven: false, sound: 0, unsigned: 2 },
      sources: [
        { name: 'event store', seals: 2 },
        { name: 'shard Shard-1', seals: 2, notCopiedYet: 0 },
        { name: 'file', seals: 2, notCopiedYet: 0 },
      ],
    });
  });

  it.each(TAMPERINGS.filter(({ only }) => only === undefined || only === kind))(
    'names the events where $what',
    async ({ work }) => {
      let tries = 0;
      await fc.assert(
        fc.asyncProperty(fc.nat(239), fc.nat(100), async (place, other) => {
          if (tries++ > 0) {
            await world.close();
            world = await sealedStore(kind);
            await world.fill(STREAMS, EVENTS_EACH);
            await world.seal();
            await world.fill(STREAMS, EVENTS_EACH);
            await world.seal();
          }
          let names: readonly string[] = [];
          world.tamper((database) => (names = work(database, kind, place, other)));
          const { differences } = await world.verify();
          expect(differences.map(({ stream, revision }) => `${stream}@${revision}`)).toEqual(
            expect.arrayContaining([...names]),
          );
        }),
        { numRuns: 4 },
      );
    },
  );

  it('says so where a seal was edited in the store', async () => {
    for (const [place, member] of ['events', 'root', 'through', 'at', 'previous', 'names'].entries()) {
      world.tamper((database) =>
        editSeal(database, kind, 1 + (place % 2), (seal) => ({ ...seal, [member]: member === 'events' ? 3 : '1' })),
      );
      const { differences } = await world.verify();
      expect(differences).toContainEqual(expect.objectContaining({ seal: 1 + (place % 2), kind: 'copy' }));
    }
  });

  it('names the event though the seals in the store were made anew over it', async () => {
    let name = '';
    world.tamper((database) => {
      const found = target(database, 17);
      name = found.name;
      change(database, kind, found, 'data', (old) => old.replace('CZK', 'USD'));
    });
    await reseal(world);
    const { differences } = await world.verify();
    expect(differences.map(({ stream, revision }) => `${stream}@${revision}`)).toContain(name);
    expect(differences).toContainEqual(
      expect.objectContaining({ kind: 'copy', seal: 1, what: expect.stringMatching(/^event store says otherwise/) }),
    );
  });

  it('names what is missing where the newest seals and their events were taken away', async () => {
    const names: string[] = [];
    world.tamper((database) => {
      names.push(target(database, 239).name, target(database, 121).name);
      database.prepare(`DELETE FROM event WHERE position > ?`).run(STREAMS * EVENTS_EACH + 1);
    });
    const { differences } = await world.verify();
    expect(
      differences.filter(({ kind: each }) => each === 'missing').map(({ stream, revision }) => `${stream}@${revision}`),
    ).toEqual(expect.arrayContaining(names));
    expect(differences).toContainEqual(
      expect.objectContaining({ kind: 'seal', seal: 2, what: expect.stringContaining('missing from the event store') }),
    );
    await world.fill(1, 2);
    expect(await world.seal()).toMatchObject({
      seals: 0,
      stopped: expect.stringContaining('ends at seal 1 and shard Shard-1'),
    });
  });

  it('says so where the file was cut, or an older one was put back, and so for a shard', async () => {
    cpSync(world.sealFolder, join(world.folder, 'older'), { recursive: true });
    await world.fill(2, 2);
    await world.seal();
    await world.fill(2, 2);
    await world.seal();
    rmSync(world.sealFolder, { recursive: true });
    cpSync(join(world.folder, 'older'), world.sealFolder, { recursive: true });
    expect((await world.verify()).differences).toEqual([
      expect.objectContaining({
        kind: 'copy',
        seal: 3,
        what: expect.stringMatching(/file .* lacks 1 of the seals up to 3, and had them/),
      }),
    ]);
    // The sealer fills the gap, and the history keeps that there was one.
    await world.fill(1, 1);
    await world.seal();
    const healed = await world.verify();
    expect([healed.differences, healed.notes]).toEqual([
      [],
      [expect.stringContaining('file reached seal 2 alone and had reached 3')],
    ]);
  });

  it('goes on after an operator has set the copies of a lost history aside, and says so for ever', async () => {
    world.tamper((database) => database.prepare(`DELETE FROM event WHERE position > ?`).run(STREAMS * EVENTS_EACH + 1));
    const aside = { from: 2, by: 'ann', reason: 'backup of Monday', at: '2026-11-20T09:00:00.000Z' as Seal['at'] };
    await world.shard.seals.setAside(aside);
    await world.file.setAside(aside);
    await world.fill(3, 2);
    expect(await world.seal()).toMatchObject({ seals: 1 });
    expect(await world.verify()).toMatchObject({
      differences: [],
      asides: [
        { witness: 'shard Shard-1', ...aside },
        { witness: 'file', ...aside },
      ],
    });
  });
});

describe('signed seals (issue 8, no 13)', () => {
  const pair = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    return {
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      publicKeys: publicKey.export({ type: 'spki', format: 'pem' }),
    } as { privateKey: string; publicKeys: string };
  };
  const ours = pair();
  let world: SealedStore;
  beforeEach(async () => {
    world = await sealedStore('SQLite', ours);
    await world.fill(5, 2);
    await world.seal();
    await world.fill(5, 2);
    await world.seal();
  });
  afterEach(() => world.close());

  it('are checked with the public key alone', async () => {
    expect(await world.verify(ours)).toMatchObject({
      differences: [],
      signatures: { keyGiven: true, sound: 2, unsigned: 0 },
    });
  });

  it.each([
    ['a stranger signed them anew everywhere', () => sealCryptography(pair()), 'whose public part is not given'],
    ['the signatures were taken away everywhere', () => sealCryptography(), 'no seal up to the newest is signed'],
  ])('tell where %s', async (_, forger, what) => {
    world.tamper((database) =>
      change(database, 'SQLite', target(database, 3), 'data', (old) => old.replace('CZK', 'USD')),
    );
    await reseal(world, forger());
    await forgeCopies(world);
    const { differences } = await world.verify(ours);
    expect(differences.map((each) => each.what).join('; ')).toContain(what);
  });

  it('tell a signature that was edited, and one seal without any', async () => {
    world.tamper((database) => editSeal(database, 'SQLite', 2, ({ signature: _, key: __, ...seal }) => seal));
    await forgeCopies(world);
    expect((await world.verify(ours)).differences).toContainEqual(
      expect.objectContaining({ seal: 2, kind: 'signature', what: expect.stringContaining('not signed') }),
    );
    world.tamper((database) =>
      editSeal(database, 'SQLite', 1, (seal) => ({ ...seal, signature: Buffer.alloc(64).toString('base64') })),
    );
    await forgeCopies(world);
    expect((await world.verify(ours)).differences).toContainEqual(
      expect.objectContaining({ seal: 1, what: 'its signature is forged' }),
    );
  });

  it('refuse a key that is none, without printing it', () => {
    expect(() => sealCryptography({ privateKey: 'top secret' })).toThrow(/^the signing key is no private key as PEM/);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(() =>
      sealCryptography({ privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }),
    ).toThrow(/type rsa, expected ed25519/);
    expect(() => sealCryptography({ publicKeys: '' })).toThrow(/no public key/);
  });
});

it('the file passes over a line that a crash tore, and goes on behind it', async () => {
  const world = await sealedStore('SQLite');
  await world.fill(2, 2);
  await world.seal();
  await world.fill(2, 2);
  await world.seal();
  const path = join(world.sealFolder, readdirSync(world.sealFolder)[0]!);
  truncateSync(path, readFileSync(path).length - 20);
  expect((await world.verify()).differences).toEqual([]);
  await world.fill(1, 1);
  await world.seal();
  expect(await world.verify()).toMatchObject({ differences: [], sources: [{}, {}, { name: 'file', seals: 3 }] });
  await world.close();
});

it('many sealers at once make one chain', async () => {
  const world = await sealedStore('SQLite');
  await world.fill(20, 3);
  const others = await Promise.all([world.seal(), world.seal(), world.seal()]);
  await world.fill(20, 3);
  await Promise.all([world.seal(), world.seal()]);
  expect(others.reduce((sum, { seals }) => sum + seals, 0)).toBe(1);
  expect(await world.verify()).toMatchObject({ differences: [], seals: { from: 1, to: 2 } });
  await world.close();
});

function editSeal(database: Database, kind: StoreKind, number: number, edit: (seal: Seal) => object): void {
  const stored = database
    .prepare(
      `SELECT e.position, e.data FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = 'historySeal-0' AND e.revision = ?`,
    )
    .get(number - 1) as { position: number; data: string };
  const put = (data: string) =>
    database.prepare('UPDATE event SET data = ? WHERE position = ?').run(data, stored.position);
  if (kind === 'SQLite') {
    put(JSON.stringify(edit(JSON.parse(stored.data) as Seal)));
    return;
  }
  const record = JSON.parse(stored.data) as { data: string };
  put(
    JSON.stringify({
      ...record,
      data: wire(JSON.stringify(edit(JSON.parse(plain(record.data, 'data')) as Seal)), 'data'),
    }),
  );
}

/** What an attacker with the source code does: the seals of the store made anew over what stands there now. */
async function reseal(world: SealedStore, cryptography = sealCryptography()): Promise<void> {
  const { events } = await world.log.page({ max: 1_000 });
  const seals: Seal[] = [];
  let from = 0;
  for (const [place, event] of events.entries()) {
    if (!event.stream.startsWith('historySeal-')) continue;
    const covered = events.slice(from, place);
    from = place + 1;
    const { signature: _, key: __, ...old } = JSON.parse(event.data) as Seal;
    const digests = covered.map((each) => cryptography.ofEvent(each));
    const unsigned = {
      ...old,
      previous: seals.at(-1)?.digest ?? '0'.repeat(64),
      root: cryptography.ofText(digests.join('')),
      ...cryptography.pack(
        covered.map(({ stream, revision }, index) => ({
          name: `${stream}@${revision}`,
          leaf: digests[index]!.slice(0, 16),
        })),
      ),
    };
    const digest = digestOfSeal(cryptography, unsigned);
    seals.push({ ...unsigned, digest, ...cryptography.sign(digest) });
  }
  world.tamper((database) => {
    for (const seal of seals) {
      editSeal(database, world.kind, seal.number, () => seal);
      const { position } = database
        .prepare(
          `SELECT e.position FROM event e JOIN stream s ON s.id = e.stream WHERE s.name = 'historySeal-0' AND e.revision = ?`,
        )
        .get(seal.number - 1) as Target;
      change(database, world.kind, { position } as Target, 'id', () => idOfSeal(seal));
    }
  });
}

/** And the copies outside made to say the same: then only a signature tells. */
async function forgeCopies(world: SealedStore): Promise<void> {
  const seals = (await world.store.readStream('historySeal-0' as never)).map(({ data }) => data as Seal);
  writeFileSync(
    join(world.sealFolder, 'seals-000000.jsonl'),
    seals.map((seal) => `${JSON.stringify(seal)}\n`).join(''),
  );
  const database = new Database(world.shard.seals.place);
  for (const seal of seals)
    database.prepare('UPDATE HistorySeal SET Seal = ? WHERE SealNumber = ?').run(
      JSON.stringify({
        ...seal,
        names: undefined,
        leaves: undefined,
        copies: undefined,
        notes: undefined,
        by: undefined,
      }),
      seal.number,
    );
  database.close();
}
