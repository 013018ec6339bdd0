/** Text of a picture: how wide it is, how it is broken, and how it is written down. */

export interface TextStyle {
  readonly size: number;
  readonly colour: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly isBold?: boolean;
  /** Degrees, clockwise, around its place. */
  readonly turned?: number;
  /** White around it, where it may be on a line. */
  readonly hasHalo?: boolean;
}

export interface Place {
  readonly x: number;
  /** Of the middle of lower-case letters. */
  readonly y: number;
}

/** Inter, in thousandths of the font's size, from the space on; viewers' own fonts are narrower. */
const WIDTHS = [
  281, 288, 466, 633, 642, 982, 644, 300, 365, 365, 501, 662, 288, 460, 288, 360, 631, 407, 610,
  618, 646, 593, 620, 566, 619, 620, 288, 302, 662, 662, 662, 511, 966, 690, 654, 730, 722, 601,
  590, 746, 743, 269, 571, 672, 565, 903, 753, 765, 639, 765, 644, 642, 646, 744, 690, 985, 682,
  679, 629, 365, 360, 365, 471, 456, 323, 562, 612, 571, 612, 583, 370, 613, 591, 242, 242, 549,
  242, 876, 591, 600, 612, 612, 376, 528, 327, 591, 562, 818, 546, 562, 552, 426, 333, 426, 662,
];
const FIRST_CODE = 32;
/** Of what the table lacks. */
const WIDTH_OTHERWISE = 700;
const BOLD = 1.06;
/** From the middle of lower-case letters down to the line they stand on, as a share of the size. */
const MIDDLE = 0.35;

/** In units of the picture, with the font that PNGs are made with. */
export function widthOf(text: string, size: number, isBold = false): number {
  let sum = 0;
  for (const letter of text)
    sum += WIDTHS[(letter.codePointAt(0) ?? 0) - FIRST_CODE] ?? WIDTH_OTHERWISE;
  return ((sum * size) / 1_000) * (isBold ? BOLD : 1);
}

/** Broken at spaces; a word that is too long for a line has one of its own. */
export function wrapped(text: string, size: number, width: number, isBold = false): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(`${last} ${word}`, size, isBold) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** As few lines as {@link wrapped} makes, about as long as each other. */
export function balanced(text: string, size: number, width: number): string[] {
  const lines = wrapped(text, size, width);
  if (lines.length < 2) return lines;
  for (let narrow = width / 2; narrow < width; narrow += size) {
    const shorter = wrapped(text, size, narrow);
    const isNarrow = shorter.every((line) => widthOf(line, size) <= width);
    if (shorter.length === lines.length && isNarrow) return shorter;
  }
  return lines;
}

export function textAt({ x, y }: Place, text: string, style: TextStyle): string {
  const { size, colour, anchor = "start", isBold = false, turned, hasHalo = false } = style;
  const [left, down] = turned === undefined ? [x, y + size * MIDDLE] : [0, size * MIDDLE];
  const move =
    turned === undefined ? "" : ` transform="translate(${at(x)} ${at(y)}) rotate(${turned})"`;
  const weight = isBold ? ' font-weight="600"' : "";
  const halo = hasHalo ? ' stroke="#fff" stroke-width="3" paint-order="stroke"' : "";
  const where = `x="${at(left)}" y="${at(down)}"${move}`;
  const look = `font-size="${size}" fill="${colour}" text-anchor="${anchor}"${weight}${halo}`;
  return `<text ${where} ${look}>${escaped(text)}</text>`;
}

/** A number as it is written in a picture: a tenth of a unit is less than one sees. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Also without what XML has no place for. */
export function escaped(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
