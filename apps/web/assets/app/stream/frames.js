/**
 * Gathers what arrives and hands it on once a frame: 2,000 events a second are then 60 batches. What a page that is
 * not painted cannot take is dropped at a bound, and it is told to read anew.
 */

/**
 * @template T
 * @param {(batch: T[], overflowed: boolean) => void} deliver
 * @param {{schedule?: (run: () => void) => void, most?: number}} [how]
 */
export function frameBatches(deliver, { schedule = nextFrame, most = 20_000 } = {}) {
  /** @type {T[]} */
  let gathered = [];
  let overflowed = false;
  let waiting = false;
  const run = () => {
    waiting = false;
    const batch = gathered;
    const lost = overflowed;
    gathered = [];
    overflowed = false;
    deliver(batch, lost);
  };
  return {
    /** @param {T[]} items */
    add(items) {
      if (gathered.length + items.length > most) {
        gathered = [];
        overflowed = true;
      } else {
        for (const item of items) gathered.push(item);
      }
      if (!waiting && (gathered.length > 0 || overflowed)) {
        waiting = true;
        schedule(run);
      }
    },
  };
}

/** Hidden pages get no frames; a timer keeps them going, slowly. */
function nextFrame(run) {
  if (document.hidden) setTimeout(run, 500);
  else {
    // A page that is hidden meanwhile would wait for its frame until it is shown: the timer is for that.
    let done = false;
    const first = () => {
      if (!done) run();
      done = true;
    };
    requestAnimationFrame(first);
    setTimeout(first, 700);
  }
}
