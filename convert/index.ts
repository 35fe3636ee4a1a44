/** What the package gives to programs, as the README.md beside this file tells. */
export { type Converted, type ConvertOptions, convertModel } from './convert.ts';
export { modelFiles } from './files.ts';
export { UnsupportedKernelError } from './kernels/handler.ts';
export {
  type AsyncTracedFunction,
  type InputSpec,
  type OutputType,
  type TracedFunction,
  type TraceOptions,
  trace,
  traceAsync,
} from './trace.ts';
export { type CompareOptions, type Comparison, compare, type GivenInput } from './verify.ts';
