import { ContainerModule } from 'inversify';
import { HttpBillerGateway } from '../../adapters/biller-http/http-biller-gateway';
import { FileBillerProfiles } from '../../adapters/biller-profiles/file-biller-profiles';
import { type Settings } from '../configuration/declarations';
import { TOKENS } from './tokens';

/** Which hosts a profile's URLs may name. */
const hostsOf = (settings: Settings) => ({
  allowedHosts: settings['Billers:AllowedHosts'],
  allowPlainLoopback: settings['Billers:AllowPlainLoopback'],
  privateHosts: settings['Billers:PrivateHosts'],
});

/** What a profile is checked against, beside its schema. */
export const profileRulesOf = (settings: Settings) => ({
  hosts: hostsOf(settings),
  ...(settings['Auth:Authority'] === '' ? {} : { tokenAuthority: settings['Auth:Authority'] }),
});

/** Billers: their profiles from files, their APIs over HTTP. */
export const billerModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.profileFiles)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      return new FileBillerProfiles({
        ...profileRulesOf(settings),
        digest: get(TOKENS.digest),
        folder: settings['Billers:Folder'],
        eventStore: get(TOKENS.eventStore),
        clock: get(TOKENS.clock),
        chance: get(TOKENS.chance),
        telemetry: get(TOKENS.telemetry),
        by: get(TOKENS.processName),
        refreshMs: settings['Billers:RefreshSeconds'] * 1_000,
      });
    })
    .inSingletonScope();

  bind(TOKENS.profiles).toService(TOKENS.profileFiles);

  bind(TOKENS.gateway)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      const gateway = new HttpBillerGateway({
        clock: get(TOKENS.clock),
        digest: get(TOKENS.digest),
        secrets: get(TOKENS.secrets),
        tokens: get(TOKENS.tokens),
        allowance: get(TOKENS.allowance),
        chance: get(TOKENS.chance),
        telemetry: get(TOKENS.telemetry),
        ...(settings['Answers:KeepDays'] === 0 ? {} : { snippets: get(TOKENS.snippets) }),
        ...profileRulesOf(settings),
      });
      get(TOKENS.series).observe('biller.shut', () =>
        [...gateway.gates()].map(({ billerId, gate, shut }) => [{ biller: billerId, gate }, shut ? 1 : 0] as const),
      );
      return get(TOKENS.lifecycle).opened('biller gateway', gateway, (open) => open.close());
    })
    .inSingletonScope();
});
