/** The key that an operator may require, stored in this browser. */

import * as settings from "./settings.js";

/** The key, null where there is none. */
export const get = () => settings.get("key");

/** Store a key. It is sent in a header, which allows only ASCII letters, digits and marks. */
export const keep = (text) => settings.set("key", text.replace(/[^!-~]/g, "") || null);
