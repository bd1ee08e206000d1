/** The history as a file: answers and refusals, without the sound. */

/** @param {import("./store.js").Clip[]} clips */
export function json(clips) {
  const entries = clips.map(({ created, name, state, answer, problem }) => ({
    created,
    name,
    state,
    answer,
    problem,
  }));
  return file("json", "application/json", JSON.stringify(entries, null, 2));
}

/**
 * One line a clip, one column a genre (RFC 4180).
 * @param {import("./store.js").Clip[]} clips
 */
export function csv(clips) {
  const genres = clips.flatMap(({ answer }) => answer?.genres.map(({ genre }) => genre) ?? []);
  const columns = [...new Set(genres)].sort();
  const plain = ["created", "name", "state", "verdict", "genre", "valence", "energy", "danceability"];
  const lines = clips.map(({ created, name, state, answer, problem }) => {
    const shares = new Map(answer?.genres.map(({ genre, probability }) => [genre, probability]));
    return [
      ...plain.map((column) => ({ created, name, state, ...answer })[column]),
      ...columns.map((genre) => shares.get(genre)),
      problem?.type,
    ];
  });
  const table = [[...plain, ...columns, "problem"], ...lines];
  const content = table.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
  return file("csv", "text/csv", content);
}

function cell(value) {
  // A spreadsheet takes a name that begins so for a formula.
  const string = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\r\n]/.test(string) ? `"${string.replaceAll('"', '""')}"` : string;
}

const file = (extension, type, content) => new File([content], `fifteen.${extension}`, { type });

/** Have the browser save a file. */
export function save(content) {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = content.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
