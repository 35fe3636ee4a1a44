/** Runs the bundle's graph: pixels -> score, map, reconstruction, and what the bundle measures beside them. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Bundle } from './bundle.ts';
import { BundleError } from './bundleError.ts';

export type ExecutionProvider = 'cpu' | 'cuda';

export interface Scores {
  /** float32 `[N]`; larger is more anomalous. */
  readonly score: Float32Array;
  /** float32 `[N, mapHeight, mapWidth]`: where each image departs from the good ones. */
  readonly map: Float32Array;
  readonly mapHeight: number;
  readonly mapWidth: number;
  /** uint8 `[N, height, width, channels]`; undefined where the graph redraws nothing: its score is one of voices. */
  readonly reconstruction?: Uint8Array | undefined;
  /** float32 `[N, V]`, a robust z of each voice of the manifest; undefined where it names none. */
  readonly voices?: Float32Array | undefined;
  /** float32 `[N, S]`, each statistic of the manifest; undefined where it names none. */
  readonly statistics?: Float32Array | undefined;
}

export interface Scorer {
  /**
   * Scores `pixels`, uint8 `[count, height, width, channels]`, with several frames `[count, frames, height, width,
   * channels]`; map and reconstruction are then those of the middle frame.
   */
  score(pixels: Uint8Array, count: number): Promise<Scores>;
  close(): Promise<void>;
}

/**
 * Opens the bundle's graph on an execution provider.
 * @throws BundleError when the provider is not there or the graph does not load; never falls back to another provider.
 */
export async function openScorer(
  bundle: Bundle,
  options: { readonly executionProvider: ExecutionProvider; readonly threads: number },
): Promise<Scorer> {
  const { width, height, channels, frames } = bundle.manifest.preprocessing;
  const shape = [...(frames > 1 ? [frames] : []), height, width, channels];
  const session = await InferenceSession.create(bundle.model, {
    executionProviders: [options.executionProvider],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  }).catch((cause: Error) => {
    throw new BundleError(
      `The graph does not load on execution provider ${options.executionProvider}: ${cause.message}${hint(options.executionProvider)}`,
      { cause },
    );
  });
  const { score: kind, voices, statistics } = bundle.manifest;
  const wanted = [
    'score',
    'map',
    ...(kind === 'mean' ? ['reconstruction'] : []),
    ...(voices ? ['voices'] : []),
    ...(statistics ? ['statistics'] : []),
  ];
  for (const name of wanted)
    if (!session.outputNames.includes(name))
      throw new BundleError(`The graph has no output "${name}" (it has ${session.outputNames.join(', ')}).`);

  return {
    async score(pixels, count) {
      const image = new Tensor('uint8', pixels, [count, ...shape]);
      const results = await session.run({ image });
      const map = results.map as Tensor;
      return {
        score: results.score!.data as Float32Array,
        map: map.data as Float32Array,
        mapHeight: map.dims[1]!,
        mapWidth: map.dims[2]!,
        reconstruction: results.reconstruction?.data as Uint8Array | undefined,
        voices: voices && columns(results.voices as Tensor, voices.length, 'voices'),
        statistics: statistics && columns(results.statistics as Tensor, statistics.length, 'statistics'),
      };
    },
    close: () => session.release(),
  };
}

function columns(output: Tensor, named: number, what: string): Float32Array {
  if (output.dims.length !== 2 || output.dims[1] !== named)
    throw new BundleError(
      `The graph's output "${what}" has the shape [${output.dims.join(', ')}], and the manifest names ${named} ${what}. Make the bundle again with \`trainer fit\`.`,
    );
  return output.data as Float32Array;
}

function hint(provider: ExecutionProvider): string {
  return provider === 'cuda'
    ? '\nCUDA needs an NVIDIA driver, CUDA 12 with cuDNN 9, and onnxruntime\'s CUDA libraries: run "node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12" once, or set scorer.executionProvider to cpu.'
    : '';
}
