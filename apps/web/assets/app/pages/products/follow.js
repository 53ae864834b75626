/** Looking again while things happen. */

/**
 * Calls `read` a pause after each `wake`, never twice at a time, and once more after the last: what is asked may count a
 * moment after the stream has told.
 * @param {() => Promise<void>} read @param {number} pauseMillis
 */
export function follow(read, pauseMillis) {
  let looks = 0;
  let reading = false;
  let timer = null;
  const next = () => {
    if (looks > 0 && !reading) timer ??= setTimeout(look, pauseMillis);
  };
  const look = async () => {
    timer = null;
    looks -= 1;
    reading = true;
    await read();
    reading = false;
    next();
  };
  return {
    wake() {
      looks = 2;
      next();
    },
    stop() {
      looks = 0;
      clearTimeout(timer);
    },
  };
}
