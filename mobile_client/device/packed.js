/** Files that are kept in gzip: a static host may not compress them. */

export const SUFFIX = ".gzip";

/**
 * Read a file, unpacked.
 * @param {string} name Without the suffix.
 * @returns {Promise<ArrayBuffer>}
 */
export async function unpacked(name) {
	const { ok, body, status } = await fetch(new URL(name + SUFFIX, import.meta.url));
	if (!ok || !body) throw new Error(`${name}: HTTP ${status}`);
	return new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
