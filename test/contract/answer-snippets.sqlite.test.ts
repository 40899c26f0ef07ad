import { SqliteAnswerSnippets } from '../../src/adapters/sqlite/sqlite-answer-snippets';
import { answerSnippetsContract } from './answer-snippets.contract';

answerSnippetsContract('SQLite', () => {
  const snippets = new SqliteAnswerSnippets({ path: ':memory:' });
  return { snippets, dispose: () => snippets.close() };
});
