import { writeFileSync } from 'node:fs';
import { createContainer } from '../container/create-container';
import { TOKENS } from '../container/tokens';
import { busTemplate } from './bus-template';
import { loadSettings } from './load-settings';

/** By the defaults of the settings alone: what differs on a site it writes by itself, with its own settings file in place. */
const loaded = loadSettings({ environment: process.env });
if ('problems' in loaded) throw new Error('the settings are wrong: run any command of datapump to see which');
const topology = createContainer(loaded.settings, 'bus-template').get(TOKENS.topology);
writeFileSync('deploy/bicep/bus.json', `${JSON.stringify(busTemplate(topology), undefined, 2)}\n`);
