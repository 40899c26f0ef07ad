import { writeFileSync } from 'node:fs';
import { settingsDocument } from './settings-document';

writeFileSync('docs/SETTINGS.md', settingsDocument());
