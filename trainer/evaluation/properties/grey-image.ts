/** A grey picture in memory. */
export interface GreyImage {
  /** uint8 `[height, width]`. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}
