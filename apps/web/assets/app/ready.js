let say;
/** Resolves when the page can be used. */
export const ready = new Promise((resolve) => (say = resolve));

/** Says that the page can be used, once: to those who measure, and to tests. */

export function pageIsReady() {
  const { dataset } = document.documentElement;
  if (dataset.ready) return;
  // After the frame in which it was painted.
  requestAnimationFrame(() =>
    setTimeout(() => {
      if (dataset.ready) return;
      dataset.ready = "true";
      performance.mark("souk-ready");
      say();
    }),
  );
}
