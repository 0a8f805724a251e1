// @ts-check
/**
 * A second thread for large images. kqf.js loads this module when it meets the first of them, and
 * decodes alone until the thread has started, and where there is none.
 */

import { KqfFile } from "./kqf.js";

const NAME = "kqf-parallel";
// Of files of several tiles those of fewer pixels are decoded by one thread.
const MANY_PIXELS = 2 ** 21;
// Milliseconds in which the worker has to decode a tile.
const PATIENCE = 2000;

/**
 * A tile: where its chunk begins and ends in the file, and its pixels.
 *
 * @typedef {[number: number, start: number, end: number,
 *     box: [left: number, upper: number, right: number, lower: number]]} Tile
 */

/** Decodes tiles in two threads; undefined as long as there is one. @type {typeof shareTiles | undefined} */
export let share;

/** @type {Worker} */
let worker;

/**
 * Let this thread take the messages that have come.
 *
 * @param {MessageChannel} channel to itself
 */
const pause = ({ port1, port2 }) =>
  new Promise((done) => {
    port1.onmessage = done;
    port2.postMessage(null);
  });

/**
 * Decode tiles: the worker takes the first of those that are left, this thread the last. A tile
 * that is alone is left to the worker.
 *
 * @param {KqfFile} file
 * @param {Uint8Array} data of the file
 * @param {number} head bytes before the tiles
 * @param {readonly number[]} region
 * @param {(number: number, start: number) => Promise<void>} decode a tile in this thread
 * @param {(labels: Uint8Array, number: number) => void} place the labels of a tile
 * @param {(box: Tile[3]) => void} tellRows is called once all tiles beside one another are there
 * @returns where the last tile of the file ends; undefined for what one thread is to decode. It is
 *     rejected if a tile cannot be read, in whatever order: reading them in turn says why
 */
function shareTiles(file, data, head, region, decode, place, tellRows) {
  const [tiles, end] = tilesOf(file, data, head, region);
  const worthwhile = file.indexed && !file.shaped && file.width * file.height > MANY_PIXELS;
  if (tiles.length > 1 ? !worthwhile : file.columns * file.rows > 1) return undefined;
  return decodeTiles(data, head, tiles, decode, place, tellRows).then(() => end);
}

/**
 * Return the tiles of a region, and where the last of the file ends.
 *
 * @param {KqfFile} file
 * @param {Uint8Array} data
 * @param {number} start
 * @param {readonly number[]} region
 * @returns {[tiles: Tile[], end: number]}
 */
function tilesOf({ width, height, tileWidth, tileHeight, columns, rows }, data, start, region) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  /** @type {Tile[]} */
  const tiles = [];
  for (let number = 0; number < columns * rows; number++) {
    const left = (number % columns) * tileWidth;
    const upper = Math.floor(number / columns) * tileHeight;
    const [right, lower] = [
      Math.min(left + tileWidth, width),
      Math.min(upper + tileHeight, height),
    ];
    // Of a file that ends before, reading says so.
    const end = start + (start + 4 > data.length ? 0 : view.getUint32(start)) + 12;
    if (left < region[2] && right > region[0] && upper < region[3] && lower > region[1]) {
      tiles.push([number, start, end, [left, upper, right, lower]]);
    }
    start = end;
  }
  return [tiles, start];
}

/**
 * @param {Uint8Array} data
 * @param {number} head
 * @param {Tile[]} tiles
 * @param {Parameters<typeof shareTiles>[4]} decode
 * @param {Parameters<typeof shareTiles>[5]} place
 * @param {Parameters<typeof shareTiles>[6]} tellRows
 */
async function decodeTiles(data, head, tiles, decode, place, tellRows) {
  /** How many tiles of a row are missing, by their upper edge. @type {Map<number, number>} */
  const missing = new Map();
  for (const [, , , [, upper]] of tiles) missing.set(upper, (missing.get(upper) ?? 0) + 1);
  const finish = (/** @type {Tile} */ [, , , box]) => {
    const others = (missing.get(box[1]) ?? 0) - 1;
    missing.set(box[1], others);
    if (!others) tellRows(box);
  };
  const { port1: port, port2 } = new MessageChannel();
  // What follows a tile that is alone is read with it.
  const ends = tiles.map(([, , end]) => (tiles.length > 1 ? end : data.length));
  const parts = [data.slice(0, head), ...tiles.map(([, start], i) => data.slice(start, ends[i]))];
  worker.postMessage({ port: port2, size: data.length, parts, tiles }, [
    port2,
    ...parts.map(({ buffer }) => buffer),
  ]);
  const theirs = [...tiles];
  /** @type {unknown[]} */
  const errors = [];
  let wake = () => {};
  port.onmessage = ({ data: { number, labels } }) => {
    const at = theirs.findIndex((tile) => tile[0] === number);
    try {
      if (!labels) throw new Error("the tile cannot be read");
      // It may have begun with a tile that this thread took from it.
      if (at >= 0) {
        place(labels, number);
        finish(theirs.splice(at, 1)[0]);
      }
    } catch (error) {
      errors.push(error);
    }
    wake();
  };
  const channel = new MessageChannel();
  try {
    while (theirs.length) {
      if (theirs.length > 1) {
        const tile = /** @type {Tile} */ (theirs.pop());
        port.postMessage(tile[0]);
        await decode(tile[0], tile[1]);
        finish(tile);
        await pause(channel);
      } else {
        // The worker is at the last tile, unless it has been ended.
        const late = await new Promise((done) => {
          wake = () => done(false);
          setTimeout(done, PATIENCE, true);
        });
        if (late) throw new Error("no answer");
      }
      if (errors.length) throw errors[0];
    }
  } finally {
    port.postMessage(null);
    port.close();
    channel.port1.close();
  }
}

/** Start the worker; where none is allowed nothing happens. */
function start() {
  try {
    const url = new URL("./parallel.js", import.meta.url);
    worker = new Worker(url, { type: "module", name: NAME });
    worker.onmessage = () => {
      share = shareTiles;
    };
  } catch {
    // This thread decodes alone.
  }
}

/** Decode what is shared, in the worker. */
function serve() {
  onmessage = async ({ data: { port, size, parts, tiles } }) => {
    const [head, ...chunks] = parts;
    /** @type {Map<number, Tile>} */
    const left = new Map(tiles.map((/** @type {Tile} */ tile) => [tile[0], tile]));
    port.onmessage = (/** @type {MessageEvent} */ { data }) => {
      if (data === null) left.clear();
      else left.delete(data);
    };
    // A file of the head and one tile, both at their places.
    let chunk = head;
    let start = 0;
    const source = {
      size,
      data: head,
      left: async (/** @type {number} */ at) => size - at,
      read: async (/** @type {number} */ at, /** @type {number} */ count) =>
        at < head.length
          ? head.subarray(at, at + count)
          : chunk.subarray(at - start).subarray(0, count),
    };
    const file = KqfFile.open(/** @type {any} */ (source));
    file.catch(() => {});
    const channel = new MessageChannel();
    for (const tile of left.values()) {
      const [number, , , region] = tile;
      left.delete(number);
      chunk = chunks[tiles.indexOf(tile)];
      start = tile[1];
      try {
        const { labels } = await (await file).read({ region, maxPixels: Infinity });
        port.postMessage({ number, labels }, [labels.buffer]);
      } catch {
        port.postMessage({ number });
      }
      await pause(channel);
    }
    port.close();
    channel.port1.close();
  };
  postMessage(null);
}

// Node has no such workers.
if (globalThis.Worker) {
  if (self.name === NAME) serve();
  else start();
}
