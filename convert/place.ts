/** Where in a model an error comes from, and what to do about one that does not say it itself. */
import { UnsupportedKernelError } from './kernels/handler.ts';

/** The part of a model that is being read or computed. */
export interface Place {
  /** `layer dense_1, class Dense` or `node mul, operation Mul`. */
  readonly name: string;
  /** The nearest thing that works. */
  readonly instead: string;
}

export function layerPlace(
  name: string,
  className: string,
  instead = 'Express that step with other layers, or save the model as a graph model',
): Place {
  return { name: `layer ${name}, class ${className}`, instead };
}

/** An error with the place that it comes from. */
class PlacedError extends Error {}

/** The same error with its place; as it is where it names one, so that the innermost is told. */
export function placed(place: Place | undefined, cause: unknown): unknown {
  if (place === undefined || !(cause instanceof Error) || cause instanceof PlacedError) return cause;
  if (cause instanceof UnsupportedKernelError) return cause.placed ? cause : cause.at(place.name);
  if (/^(layer|node|weight) /.test(cause.message)) return cause;
  const message = tooLarge(cause) ? TOO_LARGE : cause.message.replace(/\.?\s*$/, '');
  return new PlacedError(`${place.name}: ${message}. ${place.instead}`, { cause });
}

const TOO_LARGE = 'its tensors would hold more numbers than memory can hold';

/** In the words of JavaScript's engine. */
function tooLarge(cause: Error): boolean {
  return (
    cause instanceof RangeError && /^Invalid (typed )?array length|allocation failed/.test(cause.message)
  );
}
