/** A picture as PNG, drawn from its SVG by the same code and font on every machine. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { initWasm, Resvg } from "@resvg/resvg-wasm";

const require = createRequire(import.meta.url);
/** For screens with two pixels to a unit. */
const PIXELS_PER_UNIT = 2;

let started: Promise<void> | undefined;

/** @returns a file, twice as wide in pixels as the picture is in units. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  started ??= initWasm(readFileSync(require.resolve("@resvg/resvg-wasm/index_bg.wasm")));
  await started;
  const fonts = [
    require.resolve("@fontsource/inter/files/inter-latin-400-normal.woff2"),
    require.resolve("@fontsource/inter/files/inter-latin-600-normal.woff2"),
  ];
  const resvg = new Resvg(svg, {
    fitTo: { mode: "zoom", value: PIXELS_PER_UNIT },
    font: {
      fontBuffers: fonts.map((file) => readFileSync(file)),
      defaultFontFamily: "Inter",
      sansSerifFamily: "Inter",
    },
  });
  try {
    const image = resvg.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    resvg.free();
  }
}
