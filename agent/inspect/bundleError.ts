/** Apart from what reads bundles: whoever only hears of a refusal loads no parser for it. */

/** A file is no bundle that this agent accepts. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}
