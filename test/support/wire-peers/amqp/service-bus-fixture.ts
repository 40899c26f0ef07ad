import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ServiceBusMessageBus,
  type ServiceBusMessageBusOptions,
} from '../../../../src/adapters/service-bus/service-bus-message-bus';
import { SqliteMessageBus } from '../../../../src/adapters/sqlite/sqlite-message-bus';
import { SystemClock } from '../../../../src/adapters/system/system-clock';
import { type TopicDeclaration } from '../../../../src/application/ports/message-bus';
import { ServiceBusPeer, type ServiceBusPeerOptions } from './service-bus-peer';

type FixtureOptions = Pick<ServiceBusPeerOptions, 'now' | 'keyName' | 'partitioned'>;

/** The production adapter, as many clients as wanted, over a peer over an embedded bus in a file of its own. */
export class ServiceBusFixture {
  readonly peer: ServiceBusPeer;
  private readonly folder = mkdtempSync(join(tmpdir(), 'datapump-service-bus-'));
  /** What the broker itself holds, also what no peek over the wire shows. */
  readonly embedded: SqliteMessageBus;
  private readonly buses: ServiceBusMessageBus[] = [];

  private constructor(topology: readonly TopicDeclaration[], options: FixtureOptions) {
    const path = join(this.folder, 'bus.db');
    const { now = Date.now, ...ofPeer } = options;
    this.embedded = new SqliteMessageBus({ path, topology, now });
    this.peer = new ServiceBusPeer({
      bus: this.embedded,
      path,
      topology,
      now,
      ...ofPeer,
    });
  }

  static async start(topology: readonly TopicDeclaration[], options: FixtureOptions = {}): Promise<ServiceBusFixture> {
    const fixture = new ServiceBusFixture(topology, options);
    await fixture.peer.listen();
    return fixture;
  }

  newBus(options: Partial<ServiceBusMessageBusOptions> = {}): ServiceBusMessageBus {
    const { connectionString } = this.peer;
    const bus = new ServiceBusMessageBus({ connectionString, clock: new SystemClock(), ...options });
    this.buses.push(bus);
    return bus;
  }

  async stop(): Promise<void> {
    await Promise.all(this.buses.map((bus) => bus.close()));
    await this.peer.stop();
    await this.embedded.close();
    rmSync(this.folder, { recursive: true });
  }
}
