#!/usr/bin/env node
import { runCommandLine } from './command-line/program';
import { keepHeapLean } from './processes/lean-heap';

keepHeapLean();
void runCommandLine(process.argv);
