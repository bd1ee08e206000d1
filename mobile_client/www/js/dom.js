/** Elements without markup strings: nothing that a person or a service sends is parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element. A function is a listener; what is null or false is left out.
 * @param {Name} name
 * @param {Object<string, any>} attributes
 * @param {...(Node|string|null|false|(Node|null|false)[])} children
 * @template {keyof HTMLElementTagNameMap} Name
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
	return filled(document.createElement(name), attributes, children);
}

/**
 * Make an SVG element.
 * @returns {SVGElement}
 */
export function drawing(name, attributes = {}, ...children) {
	return filled(document.createElementNS(SVG, name), attributes, children);
}

export function icon(name) {
	const use = drawing("use", { href: `#icon-${name}` });
	return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, use);
}

export function button(iconName, text, onclick, attributes = {}) {
	return element("button", { type: "button", onclick, ...attributes }, icon(iconName), text);
}

export const plain = (text, onclick) => element("button", { type: "button", class: "plain", onclick }, text);

/** A button that is one of several choices. */
export function choice(label, chosen, onclick, attributes = {}) {
	const state = { type: "button", class: "choice", "aria-pressed": String(chosen), onclick };
	return element("button", { ...state, ...attributes }, label);
}

/** Tell the style how long the longest word of a node is: it must fit. */
export function fit(node) {
	const letters = node.textContent.split(/[ -]/).map((word) => word.length);
	node.style.setProperty("--letters", String(Math.max(...letters)));
}

export const byId = (id) => /** @type {any} */ (document.getElementById(id));

function filled(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") node.addEventListener(name.slice(2), value);
		else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.flat().filter((child) => child !== null && child !== false));
	return node;
}
