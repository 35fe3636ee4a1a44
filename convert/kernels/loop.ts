import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { Graph } from '../graph.ts';
import { graphProto } from '../model.ts';
import { emitJob, type Job } from '../plan.ts';
import type { Entry } from '../storage.ts';
import { plain, type TensorSpec, type Value } from '../values.ts';
import { type HandlerTable, handler, list } from './handler.ts';

/** The body of a loop whose number of turns a graph decides by itself. */
export interface LoopBody {
  /** Its placeholders are named variable0, variable1, ... */
  readonly job: Job;
  /** Whether to go on, then the new value of each variable. */
  readonly results: readonly Entry[];
  /** What tells it from every other body: recorded jobs are compared by their attributes as JSON. */
  toJSON(): string;
}

/** The kernel that a loop is: whether to begin, and the first values -> the last values, of the same shapes. */
export const LOOP_KERNEL = 'PlumblineLoop';

export function variableName(index: number): string {
  return `variable${index}`;
}

export const LOOP: HandlerTable = {
  [LOOP_KERNEL]: handler<{ readonly body: LoopBody }>({
    outputs: (inputs) => list<TensorSpec>(inputs).slice(1),
    emit: (g, inputs, { body }, outputs) => {
      const [condition, ...first] = list<Value>(inputs).map((value) => plain(g, value));
      const graph = toBinary(onnx.AttributeProtoSchema, bodyAttribute(g, body, outputs));
      const encoded = Buffer.from(graph).toString('base64');
      const made = g.ops('Loop', ['', condition!, ...first], { body: { encoded } }, outputs.length);
      outputs.forEach((output, i) => {
        output.plain = made[i]!;
      });
    },
  }),
};

function bodyAttribute(g: Graph, body: LoopBody, variables: readonly TensorSpec[]): onnx.AttributeProto {
  const prefix = `${g.prefix}loop${g.nodes.length}/`; // a name must not be used again inside of a graph
  const inner = new Graph({ portable: g.portable, poolIndices: false, reserved: [], prefix });
  inner.input({ name: `${prefix}turn`, type: 'int64', dims: [] });
  inner.input({ name: `${prefix}go`, type: 'bool', dims: [] });
  const names = variables.map(({ shape, dtype }, i) =>
    inner.input({ name: `${prefix}${variableName(i)}`, type: dtype, dims: shape }),
  );
  const values = emitJob(body.job, inner, ({ placeholder, dtype, shape, host }) => {
    const i = variables.findIndex((_, index) => variableName(index) === placeholder);
    return { plain: i >= 0 ? names[i]! : inner.weight(dtype, shape, host!) };
  });
  const valueByEntry = new Map(values.map((value, i) => [body.job.roots[i]!, value]));
  body.results.forEach((entry, i) => {
    const name = plain(inner, valueByEntry.get(entry)!);
    inner.output(name, { name: `${prefix}next${i}`, type: entry.dtype, dims: entry.shape });
  });
  inner.finish({ keepInputs: true });
  return create(onnx.AttributeProtoSchema, {
    name: 'body',
    type: onnx.AttributeProto_AttributeType.GRAPH,
    g: graphProto(inner, `${prefix}body`),
  });
}
