/**
 * Binary PPM images (P6) for tests: a generator and a parser.
 *
 * Owns both directions and nothing of filters. Invariant: the same size always gives the same bytes, so that
 * digests of results can be compared between runs and machines.
 */

/** An image with 3 bytes per pixel, rows from the top. */
export interface PpmImage {
  readonly width: number;
  readonly height: number;
  readonly maxval: number;
  readonly pixels: Uint8Array;
}

const CELL_PIXELS = 16;

/**
 * Makes an image that has something for every filter: a gradient in red and green, a chequered pattern with
 * hard edges in blue, and noise from a fixed seed. 1920×1080 takes some 20 ms and 6.2 MB.
 */
export function makePpm(width: number, height: number): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(width * height * 3);
  let seed = 0x2545f491;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // xorshift32
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      const isLight = (Math.floor(x / CELL_PIXELS) + Math.floor(y / CELL_PIXELS)) % 2 === 0;
      pixels[at++] = Math.floor((x * 255) / Math.max(1, width - 1));
      pixels[at++] = Math.floor((y * 255) / Math.max(1, height - 1));
      pixels[at++] = (isLight ? 208 : 32) + (seed & 0x0f);
    }
  }
  return encodePpm({ width, height, maxval: 255, pixels });
}

/** Writes an image with the shortest header. */
export function encodePpm(image: PpmImage): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(`P6\n${image.width} ${image.height}\n${image.maxval}\n`);
  const bytes = new Uint8Array(header.length + image.pixels.length);
  bytes.set(header);
  bytes.set(image.pixels, header.length);
  return bytes;
}

/** Reads an image whose header has no comments, as `encodePpm` and the guests write it; throws Error otherwise. */
export function parsePpm(bytes: Uint8Array): PpmImage {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  const match = /^P6\n(\d+) (\d+)\n(\d+)\n/.exec(head);
  if (match === null) throw new Error("Not a PPM with a plain header");
  const [width, height, maxval] = match.slice(1).map(Number);
  if (width === undefined || height === undefined || maxval === undefined) {
    throw new Error("Header is cut off");
  }
  const pixels = bytes.subarray(match[0].length);
  if (pixels.length !== width * height * 3) {
    throw new Error(`PPM has ${pixels.length} bytes of pixels, expected ${width * height * 3}`);
  }
  return { width, height, maxval, pixels };
}
