import { type Settings } from '../configuration/declarations';

/** Receivers give their links back after the messages in hand are done. */
export const CLOSING_MS = 5_000;

/** How long a process may take to end after an error that nobody caught. */
export const drainLimitMs = (settings: Settings): number => settings['Supervisor:StopSeconds'] * 1_000 + CLOSING_MS;
