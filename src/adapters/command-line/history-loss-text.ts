import { type LossPlan } from '../../application/operating/accept-history-loss';
import { historyFaults } from './history-words';
import { type Lines } from './printer';
import { tableLines } from './table';
import { moneyText } from './words';

/** What is lost, and whose rows would be held: per shard and biller, with their money. */
export function historyLossText({ findings, shards }: LossPlan): Lines {
  const lines = shards.flatMap(({ shard, rows }) =>
    rows.map(({ billerId, status, count, amount }) => [shard, billerId, status, String(count), moneyText(amount)]),
  );
  const total = shards.reduce((sum, { rows }) => sum + rows.reduce((all, { count }) => all + count, 0), 0);
  const restored = shards.filter((each) => each.restored).map(({ shard }) => shard);
  return [
    ...historyFaults(findings).map((fault) => `lost: ${fault}`),
    `plan: ${total} rows are held in doubt, for a person; none of them is posted before`,
    ...(lines.length === 0
      ? []
      : [
          ...tableLines(
            [
              { title: 'shard' },
              { title: 'biller' },
              { title: 'status' },
              { title: 'rows', align: 'right' },
              { title: 'money', align: 'right' },
            ],
            lines,
          ),
        ]),
    ...(restored.length === 0
      ? []
      : [
          `${restored.join(', ')} may have been restored too: rows that are New there may have been delivered, and are held as well`,
        ]),
    'then: the shards take the event store that is there for theirs',
  ];
}
