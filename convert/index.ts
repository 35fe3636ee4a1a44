/** What the package gives to programs, as the README.md beside this file tells. */
export {
  type BackendStatistics,
  type OnnxBackend,
  type OnnxBackendOptions,
  registerOnnxBackend,
} from './backend.ts';
export { type Converted, type ConvertOptions, convertModel } from './convert.ts';
export { type EmbeddedModel, embedOnnx } from './embed.ts';
export { modelFiles } from './files.ts';
export { UnsupportedKernelError } from './kernels/handler.ts';
export { type QuantizeOptions, quantize, requireQuantizableLayers } from './quantize/quantize.ts';
export type { Feeds } from './quantize/ranges.ts';
export { QuantizationError, type Quantized, type SearchOptions } from './quantize/search.ts';
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
