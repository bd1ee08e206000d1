/** Starts a page that has no service: this device answers, once it has what it needs. */

import * as settings from "../js/settings.js";

settings.set("device", "on"); // before the page sends anything

const [{ kept }, { show }] = await Promise.all([import("./keep.js"), import("./offer.js")]);
const home = document.getElementById("home");
if (home && globalThis.caches && !(await kept())) await show(home);
