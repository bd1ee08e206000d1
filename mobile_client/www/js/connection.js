/**
 * A live connection (docs/LIVE.md): the recording goes up while it grows, and answers come back.
 *
 * It ends without a final answer where the service has no such address, where a proxy refuses
 * WebSockets, and where it breaks off. Then whole recordings are posted. `<fifteen-listen>` uses this
 * module too, so it imports nothing.
 */

const LIVE = "v1/live";
const READY_SECONDS = 5; // for the service to accept
const FINAL_SECONDS = 12; // for the last answer, beyond the upload

export const SLOWEST_BYTES = 16_000; // a second, of an upload that still makes sense

/**
 * Connect.
 * @param {URL} service The address of the service.
 * @param {Object<string, any>} options Members of the service's `LiveStart`.
 * @param {(running: any) => void} tell Called with each answer so far.
 * @param {() => void} fail Called if there will be no final answer.
 * @throws {DOMException} If the page may not connect there.
 */
export function connect(service, options, tell, fail) {
	const address = new URL(LIVE, service);
	address.protocol = address.protocol.replace("http", "ws");
	const socket = new WebSocket(address);
	const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
	let settle = null;
	/** @type {Promise<?Analysis>} */
	const final = new Promise((resolve) => {
		settle = resolve;
	});
	let model = null;
	let timer = null;
	const send = async (/** @type {string | Blob} */ message) => {
		await opened;
		if (socket.readyState === WebSocket.OPEN) socket.send(message);
	};
	const finish = (answer) => {
		clearTimeout(timer);
		settle(answer);
		socket.close();
	};
	const within = (seconds) => {
		clearTimeout(timer);
		timer = setTimeout(finish, seconds * 1000, null);
	};
	socket.addEventListener("close", () => finish(null));
	socket.addEventListener("message", ({ data }) => {
		const { message, ...rest } = JSON.parse(data);
		if (message === "ready") {
			clearTimeout(timer);
			model = rest.model;
		}
		if (message === "running") tell({ model, ...rest });
		if (message === "final") finish(rest.analysis);
	});
	final.then((answer) => answer ?? fail());
	within(READY_SECONDS);
	send(JSON.stringify({ message: "start", ...options }));
	return {
		send,
		/** The answer to the whole, null if there is none. */
		final,
		/** The recording is complete. */
		end() {
			send('{"message": "end"}');
			within(FINAL_SECONDS + socket.bufferedAmount / SLOWEST_BYTES);
		},
		/** Give up. */
		close: () => finish(null),
	};
}
