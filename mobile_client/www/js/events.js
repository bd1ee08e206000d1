/** Events with a value, between the parts of the client. */

export function on(source, name, act) {
	source.addEventListener(name, ({ detail }) => act(detail));
}

export function emit(source, name, value) {
	source.dispatchEvent(new CustomEvent(name, { detail: value }));
}
