/** The key that an operator may ask for, kept in this browser. */

import * as settings from "./settings.js";

/** The key, null where there is none. */
export const get = () => settings.get("key");

/** Keep another key. It travels in a header, which takes plain letters, digits and marks alone. */
export const keep = (text) => settings.set("key", text.replace(/[^!-~]/g, "") || null);
