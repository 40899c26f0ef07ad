#!/usr/bin/env node
import { runCommandLine } from './command-line/program';

void runCommandLine(process.argv);
