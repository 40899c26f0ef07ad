/** What a client asks for: a send, a settling on the link that brought the message, a link, a token, or an operation of $management. */
export type Moment = 'send' | 'settle' | 'attach' | 'token' | `com.microsoft:${string}`;

/**
 * `lose-answer`: it takes effect and is never answered. `force-close`: it takes effect, and instead of the answer the
 * connection is closed as Service Bus does at its upgrades. An error: it takes no effect and is refused so.
 */
export type Fault = 'lose-answer' | 'force-close' | ServiceError;

export interface ServiceError {
  readonly condition: string;
  readonly description: string;
  /** For answers of $management and $cbs. */
  readonly status: number;
}

/** Errors as Service Bus words them (learn.microsoft.com, "AMQP errors in Azure Service Bus"). */
export const SERVICE_ERRORS = {
  busy: {
    condition: 'com.microsoft:server-busy',
    description:
      'The request was terminated because the namespace peer is being throttled. Error code : 50009. Please wait 10 seconds and try again.',
    status: 503,
  },
  timeout: { condition: 'com.microsoft:timeout', description: 'The operation did not complete in time.', status: 408 },
  cancelled: {
    condition: 'com.microsoft:operation-cancelled',
    description: 'The operation was canceled on the server side.',
    status: 500,
  },
  internal: {
    condition: 'amqp:internal-error',
    description: 'The service was unable to process the request.',
    status: 500,
  },
  lockLost: {
    condition: 'com.microsoft:message-lock-lost',
    description:
      'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
    status: 410,
  },
  quota: {
    condition: 'amqp:resource-limit-exceeded',
    description: "The maximum entity size has been reached or exceeded for Topic: 'RECORDS'.",
    status: 403,
  },
  disabled: {
    condition: 'com.microsoft:entity-disabled',
    description: "Messaging entity 'records' is currently disabled.",
    status: 403,
  },
  deleted: {
    condition: 'amqp:not-found',
    description: "The messaging entity 'records' could not be found. It was deleted.",
    status: 404,
  },
  detached: {
    condition: 'amqp:link:detach-forced',
    description:
      "The link 'G7:1' is force detached. Code: ServerError. Details: AmqpMessagePublisher.IdleTimerExpired.",
    status: 500,
  },
  /** Of a link whose token ran out before another was presented. */
  tokenRanOut: {
    condition: 'amqp:link:detach-forced',
    description:
      "The link 'G7:1' is force detached. Code: RenewToken. Details: Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: 'sb://peer/records'.",
    status: 500,
  },
  notAllowed: {
    condition: 'amqp:not-allowed',
    description:
      'Batching brokered messages with distinct SessionId, PartitionKey, or MessageId is not supported for an entity with partitioning and duplicate detection enabled.',
    status: 400,
  },
} as const satisfies Record<string, ServiceError>;

/** The next so many requests of a kind fail as told, what was planned first at first; then every n-th of a kind does. */
export class PlannedFaults {
  private readonly planned = new Map<Moment, Fault[]>();
  private readonly recurring = new Map<Moment, { readonly every: number; readonly fault: Fault; asked: number }>();

  plan(at: Moment, fault: Fault, count = 1): void {
    this.planned.set(at, [...(this.planned.get(at) ?? []), ...Array.from({ length: count }, () => fault)]);
  }

  planEvery(at: Moment, every: number, fault: Fault): void {
    this.recurring.set(at, { every, fault, asked: 0 });
  }

  take(at: Moment): Fault | undefined {
    const planned = this.planned.get(at)?.shift();
    if (planned !== undefined) return planned;
    const recurring = this.recurring.get(at);
    return recurring !== undefined && ++recurring.asked % recurring.every === 0 ? recurring.fault : undefined;
  }
}
