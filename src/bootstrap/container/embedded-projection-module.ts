import { ContainerModule } from 'inversify';
import { SqliteAnswerSnippets } from '../../adapters/sqlite/sqlite-answer-snippets';
import { SqliteFailureProjections } from '../../adapters/sqlite/sqlite-failure-projections';
import { SqliteRecordProjections } from '../../adapters/sqlite/sqlite-record-projections';
import { embeddedFiles, makeEmbeddedFolders } from './embedded-files';
import { TOKENS } from './tokens';

/** The projections, and the masked answers that settled nothing, lie in files of this machine on every stack: none is part of the truth. */
export const embeddedProjectionModule = new ContainerModule(({ bind }) => {
  bind(TOKENS.projections)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const projections = new SqliteRecordProjections({ path: embeddedFiles(settings).projection });
      return get(TOKENS.lifecycle).opened('record projection', projections, (open) => open.close());
    })
    .inSingletonScope();

  bind(TOKENS.failureProjections)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const projections = new SqliteFailureProjections({ path: embeddedFiles(settings).failures });
      return get(TOKENS.lifecycle).opened('projection of failures', projections, (open) => open.close());
    })
    .inSingletonScope();

  bind(TOKENS.snippets)
    .toDynamicValue(({ get }) => {
      const settings = get(TOKENS.settings);
      makeEmbeddedFolders(settings);
      const snippets = new SqliteAnswerSnippets({ path: embeddedFiles(settings).answerSnippets });
      return get(TOKENS.lifecycle).opened('answer snippets', snippets, (open) => open.close());
    })
    .inSingletonScope();
});
