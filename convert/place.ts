/** Where in a model an error comes from, and what to do about one that does not say it itself. */
import { UnsupportedKernelError } from './kernels/handler.ts';

/** The part of a model that is being read or computed. */
export interface Place {
  /** `layer dense_1, class Dense` or `node mul, operation Mul`. */
  readonly name: string;
  /** The nearest thing that works. */
  readonly instead: string;
}

export function layerPlace(name: string, className: string): Place {
  return {
    name: `layer ${name}, class ${className}`,
    instead: 'Express that step with other layers, or save the model as a graph model',
  };
}

/** An error with the place that it comes from. */
class PlacedError extends Error {}

/** The same error with its place; as it is where it names one, so that the innermost is told. */
export function placed(place: Place | undefined, cause: unknown): unknown {
  if (place === undefined || !(cause instanceof Error) || cause instanceof PlacedError) return cause;
  if (cause instanceof UnsupportedKernelError) return cause.placed ? cause : cause.at(place.name);
  if (/^(layer|node|weight) /.test(cause.message)) return cause;
  return new PlacedError(`${place.name}: ${cause.message.replace(/\.?\s*$/, '')}. ${place.instead}`, {
    cause,
  });
}
