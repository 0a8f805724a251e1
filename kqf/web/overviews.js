// @ts-check
/** The smaller pictures that large KQF files hold: section 6.8 of the specification. */

/** @typedef {import("./kqf.js").KqfFile} KqfFile */

/** The side of their tiles, in labels. */
export const TILE = 256;
const CHUNK = 2 ** 24;
const FRAME = 12;

/** @param {string | Blob} source @param {number} start @param {number} end @param {AbortSignal} signal */
async function bytesOf(source, start, end, signal) {
  if (source instanceof Blob) return new Uint8Array(await source.slice(start, end).arrayBuffer());
  const response = await fetch(source, { headers: { Range: `bytes=${start}-${end - 1}` }, signal });
  const data = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 206 || data.length !== end - start) {
    throw new Error(`${source}: expected the bytes ${start} to ${end}`);
  }
  return data;
}

/** @param {Uint8Array<ArrayBuffer>} stream @param {number} size */
async function inflated(stream, size) {
  const body = new Blob([stream]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = body.getReader();
  const labels = new Uint8Array(size);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) {
      await reader.cancel();
      at = Infinity;
      break;
    }
    labels.set(value, at);
    at += value.length;
  }
  if (at !== size) throw new Error("an overview of this file is damaged");
  return labels;
}

/** The overviews of one file. */
export class Overviews {
  /**
   * @param {string | Blob} source
   * @param {KqfFile} file
   * @param {Uint8Array} index the payload of `oidx`
   * @param {number} at where the first `over` begins
   */
  constructor(source, file, index, at) {
    const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
    this.source = source;
    this.at = at;
    /** @type {{level: number, width: number, height: number, columns: number, rows: number, first: number}[]} */
    this.levels = [];
    let tiles = 0;
    const [first, count] = index;
    for (let level = first + count - 1; level >= first; level--) {
      const [width, height] = [file.width, file.height].map((side) => Math.ceil(side / 2 ** level));
      const [columns, rows] = [width, height].map((side) => Math.ceil(side / TILE));
      this.levels.push({ level, width, height, columns, rows, first: tiles });
      tiles += columns * rows;
    }
    if (index.length !== 2 + 8 * tiles) throw new Error("the overviews of this file are damaged");
    this.ends = new Float64Array(tiles);
    for (let n = 0, end = 0; n < tiles; n++) this.ends[n] = end += view.getUint32(2 + 4 * n);
  }

  /**
   * Read a tile of one of `levels`.
   *
   * @param {number} which its place in `levels`
   * @param {number} column
   * @param {number} row
   * @param {AbortSignal} signal
   */
  async read(which, column, row, signal) {
    const level = this.levels[which];
    const number = level.first + row * level.columns + column;
    const width = Math.min(TILE, level.width - column * TILE);
    const height = Math.min(TILE, level.height - row * TILE);
    const start = number ? this.ends[number - 1] : 0;
    const stream = new Uint8Array(this.ends[number] - start);
    // All chunks but the last are of the same length.
    for (let done = 0; done < stream.length; ) {
      const chunk = Math.floor((start + done) / CHUNK);
      const within = (start + done) % CHUNK;
      const part = Math.min(stream.length - done, CHUNK - within);
      const at = this.at + chunk * (CHUNK + FRAME) + 8 + within;
      stream.set(await bytesOf(this.source, at, at + part, signal), done);
      done += part;
    }
    return { labels: await inflated(stream, width * height), width, height };
  }
}

/**
 * Return the overviews of a file, null if it has none.
 *
 * @param {string | Blob} source
 * @param {KqfFile} file
 * @param {AbortSignal} signal
 */
export async function openOverviews(source, file, signal) {
  const chunk = file.chunks.find(({ type }) => type === "oidx");
  if (!chunk) return null;
  const { offset, length } = chunk;
  const index = await bytesOf(source, offset + 8, offset + 8 + length, signal);
  return new Overviews(source, file, index, offset + FRAME + length);
}
