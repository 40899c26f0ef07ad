import { type FailureProjections } from '../../application/ports/failure-projection';
import { SqliteFailureProjection } from './sqlite-failure-projection';
import { SqliteGenerations } from './sqlite-generations';

/** The projection of failures and the one that is built beside it, as files of one folder. */
export class SqliteFailureProjections extends SqliteGenerations<SqliteFailureProjection> implements FailureProjections {
  constructor(options: { readonly path: string }) {
    super(options, (each) => new SqliteFailureProjection(each));
  }
}
