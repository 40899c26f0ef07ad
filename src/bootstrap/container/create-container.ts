import 'reflect-metadata';
import { hostname } from 'node:os';
import { createLogger, stdSerializers } from 'bunyan';
import { Container } from 'inversify';
import { logStream } from '../../adapters/command-line/printer';
import { BunyanTelemetry } from '../../adapters/telemetry/bunyan-telemetry';
import { MetricSeries } from '../../adapters/telemetry/metric-series';
import { watchPorts } from '../telemetry/watch-ports';
import { type Settings } from '../configuration/declarations';
import { Lifecycle } from '../lifecycle';
import { Health } from '../processes/health';
import { applicationModule } from './application-module';
import { billerModule } from './biller-module';
import { stackModules } from './stack-modules';
import { systemModule } from './system-module';
import { TOKENS } from './tokens';

/** Log lines go to standard error, or where a person who watches looks them up. */
export interface LogTarget {
  write(text: string): unknown;
}

/** Binds everything and opens nothing: what a process does not ask for is never opened. */
export function createContainer(settings: Settings, role: string, logTo: LogTarget = process.stderr): Container {
  const container = new Container();
  container.bind(TOKENS.settings).toConstantValue(settings);
  container.bind(TOKENS.processName).toConstantValue(`${role}@${hostname()}:${process.pid}`);
  container.bind(TOKENS.health).toConstantValue(new Health(role, () => performance.now()));
  container.bind(TOKENS.lifecycle).toConstantValue(new Lifecycle());
  const logger = createLogger({
    name: role,
    level: settings['Log:Level'],
    stream: logStream(logTo) as NodeJS.WritableStream,
    serializers: stdSerializers,
  });
  const series = new MetricSeries();
  const telemetry = new BunyanTelemetry(logger, series);
  container.bind(TOKENS.telemetry).toConstantValue(telemetry);
  container.bind(TOKENS.series).toConstantValue(series);
  container.loadSync(systemModule, applicationModule, billerModule, ...stackModules(settings));
  container.bind(TOKENS.watching).toConstantValue(watchPorts(container, telemetry, settings, process.env));
  return container;
}
