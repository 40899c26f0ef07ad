import { writeFileSync } from 'node:fs';
import { metricsDocument } from './metrics-document';

writeFileSync('docs/METRICS.md', metricsDocument());
