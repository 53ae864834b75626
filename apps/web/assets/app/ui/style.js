/** Style sheets of pages that are not there at the begin. */

/** Loads a sheet once, and waits for it, so that no page is seen without its clothes. @param {string} path below the assets */
export function loadStyle(path) {
  const { href } = new URL(`../../${path}`, import.meta.url);
  const there = [...document.styleSheets].some((sheet) => sheet.href === href);
  if (there) return Promise.resolve();
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    // A page without its clothes is better than none.
    link.onload = link.onerror = () => resolve(undefined);
    document.head.append(link);
  });
}
