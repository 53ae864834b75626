/** Doing it again: waits that double, with jitter, so that many pages that lost a server do not come back at once. */

/** Returns the wait before attempt `n` (from 0), in milliseconds. @param {number} n */
export function backoff(n, { first = 300, longest = 15_000, random = Math.random } = {}) {
  const full = Math.min(longest, first * 2 ** Math.min(n, 20));
  return full * (0.5 + random() / 2);
}

/** @param {number} millis @param {AbortSignal} [signal] */
export function wait(millis, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, millis);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/**
 * Calls until it answers, or the attempts are used up, or the error says that it is final.
 * @template T
 * @param {() => Promise<T>} call
 * @param {{attempts?: number, signal?: AbortSignal, again?: (error: any) => boolean}} [how]
 * @returns {Promise<T>}
 */
export async function retrying(call, { attempts = 3, signal, again = () => true } = {}) {
  for (let n = 0; ; n += 1) {
    try {
      return await call();
    } catch (error) {
      if (signal?.aborted || n + 1 >= attempts || !again(error)) throw error;
      await wait(error.retryAfterMillis ?? backoff(n), signal);
    }
  }
}
