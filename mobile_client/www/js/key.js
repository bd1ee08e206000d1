/** The key that an operator may ask for, kept in this browser. */

const NAME = "fifteen-key";

let key = kept();

/** The key, null where there is none. */
export const get = () => key;

/** Keep another key. It travels in a header, which takes plain letters, digits and marks alone. */
export function keep(text) {
  key = text.replace(/[^!-~]/g, "") || null;
  try {
    localStorage.setItem(NAME, key ?? "");
  } catch {
    // This browser keeps nothing: it is asked for again after this page.
  }
}

function kept() {
  try {
    return localStorage.getItem(NAME) || null;
  } catch {
    return null;
  }
}
