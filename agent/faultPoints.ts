/**
 * Every place at which the state of a capture has just changed, or is about to. A test passes a function that kills the
 * process at one of them, and then asks whether anything was lost. The agent itself passes `noFault`.
 */
import type { Transition } from './deliver/transaction.ts';

/** What happens outside of the ledger's transactions, in the order of a capture's way. */
export const STEPS = {
  settled: 'A file is complete and queued.',
  inspected: 'It was scored, or cannot be; nothing is written down.',
  sent: 'Its verdict was handed to the connection.',
  taken: 'The broker has acknowledged it; this is not written down.',
  'gap-sent': 'A gap was handed to the connection.',
  'backed-up': 'A copy of the ledger is on disk, and its schema is about to change.',
  'set-aside': 'A damaged ledger was set aside; the new one is not there.',
  'taken-over': 'The new ledger is complete, and about to take the place of the damaged one.',
} as const;

/** Each transaction has two: everything written but nothing committed, and just committed. */
export type FaultPointName = keyof typeof STEPS | `${Transition}:uncommitted` | `${Transition}:committed`;

export type FaultPoint = (at: FaultPointName) => void;

export const noFault: FaultPoint = () => {};
