/** How many scoring processes run. */
import { availableParallelism } from 'node:os';
import type { ExecutionProvider } from '../inspect/score.ts';

/** Each holds the decoder, onnxruntime and the graph, some 150 MB: more than this only when it is asked for. */
const MOST = 4;

/**
 * `wanted`, or where that is 0 one for every two processors, so that half of them are left to the camera's own software;
 * one where the graphics card computes, which takes one image after another anyway.
 */
export function scorerProcesses(
  wanted: number,
  executionProvider: ExecutionProvider,
  processors = availableParallelism(),
): number {
  if (wanted > 0) return wanted;
  return executionProvider === 'cuda' ? 1 : Math.min(MOST, Math.max(1, Math.floor(processors / 2)));
}
