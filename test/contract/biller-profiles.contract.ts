import { type BillerProfiles } from '../../src/application/ports/biller-profiles';
import { billerId } from '../../src/domain/identifiers';

export interface BillerProfilesFixture {
  readonly profiles: BillerProfiles;
  /** Another process over the same history, which has looked at nothing yet. */
  another(): BillerProfiles;
  /** Puts a profile of biller 12 with this Timeout in force; undefined takes its source away. Without a tenant its id is it. */
  put(timeout: string | undefined, tenant?: string): Promise<void>;
  close(): Promise<void>;
}

const BILLER = billerId('12');

/** The laws of BillerProfiles. */
export function billerProfilesContract(name: string, open: () => Promise<BillerProfilesFixture>): void {
  describe(`BillerProfiles: ${name}`, () => {
    let under: BillerProfilesFixture;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.close());

    it('1: current is the newest valid profile, or none', async () => {
      expect(await under.profiles.current(BILLER)).toBeUndefined();
      await under.put('7s');
      expect(await under.profiles.current(BILLER)).toMatchObject({ billerId: '12', timeoutMs: 7_000 });
      await under.put('8s');
      expect(await under.profiles.current(BILLER)).toMatchObject({ timeoutMs: 8_000 });
      expect(await under.profiles.all()).toHaveLength(1);
    });

    it('2: a version is the same profile for ever, also after its source changed or vanished', async () => {
      await under.put('7s');
      const { version } = (await under.profiles.current(BILLER))!;
      await under.put('8s');
      await under.profiles.current(BILLER);
      await under.put(undefined);
      expect(await under.profiles.version(BILLER, version)).toMatchObject({ version, timeoutMs: 7_000 });
    });

    it('3: a profile in force is readable by version in another process at once', async () => {
      await under.put('7s');
      const { version } = (await under.profiles.current(BILLER))!;
      expect(await under.another().version(BILLER, version)).toMatchObject({ version, timeoutMs: 7_000 });
    });

    it('4: tenants are those of every version, present and past, each once', async () => {
      expect(await under.profiles.tenants(BILLER)).toEqual([]);
      for (const [timeout, tenant] of [
        ['7s', undefined],
        ['8s', 'north'],
        ['9s', 'north'],
        ['7s', 'south'],
      ] as const) {
        await under.put(timeout, tenant);
        await under.profiles.current(BILLER);
      }
      await under.put(undefined);
      for (const process of [under.profiles, under.another()])
        expect([...(await process.tenants(BILLER))].sort()).toEqual(['12', 'north', 'south']);
    });
  });
}
