// @ts-check
/**
 * A second thread for large images. kqf.js loads this module when it meets the first of them, and
 * decodes alone until the thread has started, and where there is none.
 */

import { KqfFile } from "./kqf.js";

// Tiles of fewer pixels, and files of several tiles of fewer, take one thread less time.
const TILE_PIXELS = 2 ** 16;
const FILE_PIXELS = 2 ** 21;
// Milliseconds in which the worker has to decode a tile; it may have been ended.
const PATIENCE = 5000;

/**
 * A tile: where its chunk begins and ends in the file, and its pixels.
 *
 * @typedef {[number: number, start: number, end: number,
 *     box: [left: number, upper: number, right: number, lower: number]]} Tile
 */
/**
 * @typedef {object} Reader
 * @property {(number: number, start: number) => Promise<void>} decode a tile in this thread
 * @property {(labels: Uint8Array, number: number) => void} place the labels of a tile
 * @property {(box: Tile[3]) => void} tellRows is called once all tiles beside one another are there
 * @property {() => void} begin is called while the worker begins: a canvas may get its memory
 */

/** Decodes tiles in two threads; undefined as long as there is one. @type {typeof shareTiles | undefined} */
export let share;

/** @type {Worker} */
let worker;
/** Files that the worker is decoding. */
let busy = 0;

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
 * Decode tiles in two threads, a tile that is alone in the other one.
 *
 * @param {KqfFile} file
 * @param {Uint8Array} data of the file
 * @param {number} head bytes before the tiles
 * @param {readonly number[]} region
 * @param {Reader["decode"]} decode
 * @param {Reader["place"]} place
 * @param {Reader["tellRows"]} tellRows
 * @returns where the last tile of the file ends; undefined if one thread is to read it, since that
 *     is faster, or since a tile cannot be read, and the first of these says why
 */
async function shareTiles(file, data, head, region, decode, place, tellRows) {
  const { width, height, tileWidth, tileHeight } = file;
  const alone = file.columns * file.rows < 2;
  const many =
    file.indexed &&
    !file.shaped &&
    width * height > FILE_PIXELS &&
    tileWidth * tileHeight >= TILE_PIXELS;
  // What the worker is to decode alone would have to wait for other files.
  if (alone ? busy : !many) return undefined;
  const [tiles, end] = tilesOf(file, data, head, region);
  /** @type {unknown[]} */
  const callers = [];
  /** @param {Tile[3]} box */
  const tell = (box) => {
    try {
      tellRows(box);
    } catch (error) {
      callers.push(error);
      throw error;
    }
  };
  busy++;
  try {
    // What follows a tile that is alone is read with it.
    if (alone) tiles[0][2] = data.length;
    const begin = () => tell([0, region[1], 0, region[1]]);
    await decodeTiles(data, head, tiles, { decode, place, tellRows: tell, begin });
    return end;
  } catch {
    if (callers.length) throw callers[0];
    return undefined;
  } finally {
    busy--;
  }
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
 * Decode tiles: the worker takes the first of those that are left, this thread the last.
 *
 * @param {Uint8Array} data
 * @param {number} head
 * @param {Tile[]} tiles
 * @param {Reader} reader
 */
async function decodeTiles(data, head, tiles, { decode, place, tellRows, begin }) {
  /** How many tiles of a row are missing, by their upper edge. @type {Map<number, number>} */
  const missing = new Map();
  for (const [, , , [, upper]] of tiles) missing.set(upper, (missing.get(upper) ?? 0) + 1);
  const finish = (/** @type {Tile} */ [, , , box]) => {
    const others = (missing.get(box[1]) ?? 0) - 1;
    missing.set(box[1], others);
    if (!others) tellRows(box);
  };
  const { port1: port, port2 } = new MessageChannel();
  const parts = [data.slice(0, head), ...tiles.map(([, start, end]) => data.slice(start, end))];
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
    begin();
    while (theirs.length) {
      if (theirs.length > 1) {
        const tile = /** @type {Tile} */ (theirs.pop());
        port.postMessage(tile[0]);
        await decode(tile[0], tile[1]);
        finish(tile);
        await pause(channel);
      } else {
        // The worker is at the last tile.
        await new Promise((done, fail) => {
          const timer = setTimeout(() => {
            share = undefined;
            fail();
          }, PATIENCE);
          wake = () => {
            clearTimeout(timer);
            done(null);
          };
        });
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
    // As it stands here bundlers know it.
    worker = new Worker(new URL("./parallel.js", import.meta.url), {
      type: "module",
      name: "kqf-parallel",
    });
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
    // A file of the head and one tile, both at their places; other tiles are only counted.
    let [chunk] = chunks;
    let [[, start]] = tiles;
    const source = {
      size,
      data: head,
      left: async (/** @type {number} */ at) => size - at,
      read: async (/** @type {number} */ at, /** @type {number} */ count) => {
        const [part, from] = at < head.length ? [head, at] : [chunk, Math.max(at - start, 0)];
        return part.subarray(from, from + count);
      },
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

// Node has no such workers. A page may have any name, a worker has no document.
if (globalThis.Worker) {
  if (!globalThis.document && self.name === "kqf-parallel") serve();
  else start();
}
