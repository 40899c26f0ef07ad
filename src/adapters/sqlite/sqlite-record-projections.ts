import { type RecordProjections } from '../../application/ports/record-projection';
import { SqliteGenerations } from './sqlite-generations';
import { SqliteRecordProjection } from './sqlite-record-projection';

/** The record projection and the one that is built beside it, as files of one folder. */
export class SqliteRecordProjections extends SqliteGenerations<SqliteRecordProjection> implements RecordProjections {
  constructor(options: { readonly path: string }) {
    super(options, (each) => new SqliteRecordProjection(each));
  }
}
