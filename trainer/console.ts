/** What a run says while it goes on: lines, and on a terminal a bar beneath them. */
import { SingleBar } from 'cli-progress';

export interface Bar {
  /** Counts up by `steps`; `note` stands behind the bar. */
  step(steps: number, note?: string): void;
  end(): void;
}

export interface Console {
  say(line: string): void;
  bar(title: string, total: number): Bar;
}

/** On a terminal bars are drawn; anywhere else there are lines only. */
export function makeConsole(stream: NodeJS.WriteStream): Console {
  const say = (line: string) => {
    stream.write(`${line}\n`);
  };
  if (!stream.isTTY) return { say, bar: () => ({ step: () => {}, end: () => {} }) };
  return {
    say,
    bar(title, total) {
      const bar = new SingleBar({
        format: `${title} {bar} {value}/{total} {note}`,
        barsize: 30,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        hideCursor: true,
        clearOnComplete: true,
        stream,
      });
      bar.start(total, 0, { note: '' });
      return { step: (steps, note = '') => bar.increment(steps, { note }), end: () => bar.stop() };
    },
  };
}

/** Seconds as people say them: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** A share as a percentage with as many digits as it deserves: `5 %`, `2.3 %`, `0.02 %`. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0 || value >= 9.95) return `${Math.round(value)} %`;
  return `${Number(value.toPrecision(2))} %`;
}
