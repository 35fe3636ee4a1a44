/** The rules of onnx.checker for a file, and what a builder of graphs owes beyond them. */
import { fromBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';
import { typesOf } from './signatures.ts';

/** Bytes of an element by TensorProto.DataType. */
const SIZES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 6: 4, 7: 8, 9: 1, 11: 8 };

/**
 * What is wrong with a model file; nothing, if it is right: names are unique, nodes in topological order, every input is
 * defined, types agree, weights fit their shapes and no two are equal, and every node and weight serves an output.
 */
export function problemsOf(bytes: Uint8Array): string[] {
  const { graph, opsetImport } = fromBinary(onnx.ModelProtoSchema, bytes);
  const domains = new Set(opsetImport.map(({ domain }) => domain));
  return [
    ...(domains.size < opsetImport.length ? ['an operator set is imported twice'] : []),
    ...graphProblems(graph!, new Map(), new Set(), domains),
  ];
}

/** `types` are those of names that lie around the graph; `nodeNames` all that were seen. */
function graphProblems(
  graph: onnx.GraphProto,
  around: ReadonlyMap<string, number>,
  nodeNames: Set<string>,
  domains: ReadonlySet<string>,
): string[] {
  const problems: string[] = [];
  const types = new Map(around);
  const define = (name: string, type: number | undefined) => {
    if (types.has(name)) problems.push(`the name ${name} is given twice`);
    types.set(name, type ?? 0);
  };
  for (const input of graph.input) define(input.name, elementType(input));
  for (const { name, dataType } of graph.initializer) define(name, dataType);
  problems.push(...weightProblems(graph.initializer));
  for (const node of graph.node) {
    const { name, opType, input, output, domain } = node;
    if (nodeNames.has(name)) problems.push(`two nodes are called ${name}`);
    nodeNames.add(name);
    if (!domains.has(domain)) problems.push(`${name} is of ${domain}, which is not imported`);
    for (const each of input)
      if (each !== '' && !types.has(each)) problems.push(`${name} reads ${each}, which is not there yet`);
    const inner = node.attribute.flatMap(({ g }) => g ?? []);
    for (const body of inner) problems.push(...graphProblems(body, types, nodeNames, domains));
    const given = input.map((each) => (each === '' ? undefined : types.get(each)));
    const to = Number(node.attribute.find(({ name }) => name === 'to')?.i ?? 0);
    const { outputs, problem } =
      constantTypes(node) ?? loopTypes(inner[0], given) ?? typesOf(opType, given, to);
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
    output.forEach((each, i) => {
      define(each, outputs[i]);
    });
  }
  for (const output of graph.output) {
    const type = types.get(output.name);
    if (type !== elementType(output))
      problems.push(`output ${output.name} is of type ${type}, it declares another`);
  }
  return [...problems, ...unusedParts(graph)];
}

interface Types {
  readonly outputs: readonly number[];
  readonly problem?: string;
}

/** Constants of foreign files stay nodes. */
function constantTypes({ opType, attribute }: onnx.NodeProto): Types | undefined {
  return opType === 'Constant' ? { outputs: [attribute[0]!.t!.dataType] } : undefined;
}

/** What a loop carries keeps its type from turn to turn. */
function loopTypes(
  body: onnx.GraphProto | undefined,
  [, , ...first]: ReadonlyArray<number | undefined>,
): Types | undefined {
  if (body === undefined) return undefined;
  const [turns, again, ...carried] = body.input.map(elementType) as number[];
  const left = body.output.slice(1).map(elementType) as number[];
  const fits =
    turns === 7 && again === 9 && String(carried) === String(first) && String(left) === String(first);
  return { outputs: left, ...(fits ? {} : { problem: 'what the loop carries changes its type' }) };
}

function weightProblems(weights: readonly onnx.TensorProto[]): string[] {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const { name, dataType, dims, rawData } of weights) {
    const elements = dims.reduce((product, size) => product * Number(size), 1);
    if (rawData.length !== elements * SIZES[dataType]!)
      problems.push(`${name} of shape [${dims}] has ${rawData.length} bytes`);
    const content = `${dataType} ${dims} ${Buffer.from(rawData).toString('base64')}`;
    if (seen.has(content)) problems.push(`${name} equals ${seen.get(content)}`);
    seen.set(content, name);
  }
  return problems;
}

/** Nodes and weights that no output of the graph needs. */
function unusedParts({ node, output, initializer }: onnx.GraphProto): string[] {
  const needed = new Set(output.map(({ name }) => name));
  const dead: string[] = [];
  for (const each of node.toReversed())
    if (each.output.some((name) => needed.has(name))) for (const name of namesRead(each)) needed.add(name);
    else dead.push(each.name);
  return [...dead, ...initializer.map(({ name }) => name).filter((name) => !needed.has(name))].map(
    (name) => `${name} serves no output`,
  );
}

/** With those that the graphs within read. */
function namesRead({ input, attribute }: onnx.NodeProto): string[] {
  const inner = attribute.flatMap(({ g }) => g?.node ?? []);
  return [...input, ...inner.flatMap(namesRead)];
}

function elementType({ type }: onnx.ValueInfoProto): number | undefined {
  return type?.value.case === 'tensorType' ? type.value.value.elemType : undefined;
}
