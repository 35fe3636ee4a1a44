/** Shows training as it goes on: a bar with speed and time left, one line for each epoch. */
import type { EpochRecord } from './checkpoint.ts';
import { type Bar, type Console, duration } from './console.ts';

export interface TrainingWatch {
  /** One of `count` images went through the frozen encoder; all features take `bytes` of memory. */
  onFeature(count: number, bytes: number): void;
  /** Training begins now; without it, with the last feature or else when this was made. */
  begin(): void;
  onBatch(epoch: number, images: number): void;
  onEpoch(record: EpochRecord, isBest: boolean): void;
  end(): void;
  /** Training images a second, and seconds of training in all: with validation and checkpoints, without encoding. */
  speed(): { seconds: number; imagesPerSecond: number };
}

export function watchTraining(console: Console, epochs: number, imagesPerEpoch: number): TrainingWatch {
  let started = performance.now();
  let bar: Bar | null = null;
  let images = 0;
  const elapsed = () => (performance.now() - started) / 1000;
  const perSecond = () => images / Math.max(elapsed(), 1e-3);
  const left = (epoch: number, done: number) =>
    ((epochs - epoch) * imagesPerEpoch + imagesPerEpoch - done) / perSecond();
  let inEpoch = 0;
  const endBar = () => {
    bar?.end();
    bar = null;
    inEpoch = 0;
  };
  return {
    onFeature(count, bytes) {
      bar ??= console.bar(`encoding (${(bytes / 2 ** 20).toFixed(0)} MiB)`, count);
      bar.step(1);
      if (++inEpoch === count) endBar();
      started = performance.now();
    },
    begin() {
      started = performance.now();
    },
    onBatch(epoch, count) {
      bar ??= console.bar(`epoch ${epoch}/${epochs}`, imagesPerEpoch);
      images += count;
      inEpoch += count;
      bar.step(count, `${perSecond().toFixed(1)} images/s, ${duration(left(epoch, inEpoch))} left`);
    },
    onEpoch({ epoch, loss, validationLoss, labelled }, isBest) {
      endBar();
      const figures = `loss ${loss.toPrecision(4)}, validation ${validationLoss.toPrecision(4)}`;
      const time = `${perSecond().toFixed(1)} images/s, ${duration(left(epoch, imagesPerEpoch))} left`;
      const scores =
        labelled === null
          ? ''
          : `, labelled: good ${labelled.good.toPrecision(4)}, poor ${labelled.poor.toPrecision(4)}`;
      console.say(`epoch ${epoch}/${epochs}: ${figures}${isBest ? ' (best)' : ''}${scores}, ${time}`);
    },
    end: endBar,
    speed: () => ({ seconds: elapsed(), imagesPerSecond: perSecond() }),
  };
}
