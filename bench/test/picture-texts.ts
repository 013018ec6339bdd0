/** Where the texts of a picture are, as it is written. */

import { widthOf } from "../src/plot/text.ts";

export interface PlacedText {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const TEXT = /<text ([^>]*)>([^<]*)<\/text>/g;
/** Of letters above the line and below it, as shares of the size. */
const [ABOVE, BELOW] = [0.73, 0.12];

export function textsOf(svg: string): PlacedText[] {
  return [...svg.matchAll(TEXT)].map(([, attributes = "", escaped = ""]) => {
    const given = new Map(
      [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [
        name,
        value,
      ]),
    );
    const size = Number(given.get("font-size"));
    const text = escaped.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    const width = widthOf(text, size, given.has("font-weight"));
    const anchor = given.get("text-anchor");
    const before = anchor === "end" ? width : anchor === "middle" ? width / 2 : 0;
    const [x, y] = [Number(given.get("x")), Number(given.get("y"))];
    const turn = /translate\(([\d.-]+) ([\d.-]+)\) rotate\(-90\)/.exec(
      given.get("transform") ?? "",
    );
    if (turn === null)
      return {
        text,
        left: x - before,
        right: x - before + width,
        top: y - size * ABOVE,
        bottom: y + size * BELOW,
      };
    const [centreX, centreY] = [Number(turn[1]), Number(turn[2])];
    return {
      text,
      left: centreX + y - size * ABOVE,
      right: centreX + y + size * BELOW,
      top: centreY - x + before - width,
      bottom: centreY - x + before,
    };
  });
}

/** What is cut off at an edge, or hides another text. */
export function troublesOf(svg: string): string[] {
  const [, width, height] = (/viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? []).map(Number);
  const texts = textsOf(svg);
  const cut = texts.filter(({ left, right, top, bottom }) => {
    return left < 0 || top < 0 || right > (width ?? 0) || bottom > (height ?? 0);
  });
  const hidden = texts.flatMap((one, i) =>
    texts
      .slice(i + 1)
      .filter((other) => one.left < other.right && other.left < one.right)
      .filter((other) => one.top < other.bottom && other.top < one.bottom)
      .map((other) => `"${one.text}" is on "${other.text}"`),
  );
  return [...cut.map(({ text }) => `"${text}" is cut off`), ...hidden];
}
