/** Bounded concurrency with two lanes: what is urgent goes before what can wait. */

export type Turns = <T>(urgent: boolean, task: () => Promise<T>) => Promise<T>;

/** At most `width` tasks run at once; urgent ones are started first, each lane in order. */
export function takeTurns(width: number): Turns {
  let running = 0;
  const urgentLane = new Set<() => void>();
  const otherLane = new Set<() => void>();
  const next = () => {
    for (const lane of [urgentLane, otherLane])
      for (const start of lane) {
        lane.delete(start);
        return start();
      }
    running--;
  };
  return async (urgent, task) => {
    if (running < width) running++;
    else await new Promise<void>((resolve) => (urgent ? urgentLane : otherLane).add(resolve));
    try {
      return await task();
    } finally {
      next();
    }
  };
}
