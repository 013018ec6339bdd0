/** A drawing as SVG: title and legend, panels in columns, notes, and where it comes from. */

import { unreachable } from "@quorumlog/std";
import type { Drawing, Panel } from "./chart.ts";
import { barPanelHeight, drawBarPanel } from "./bar-panel.ts";
import { dotPanelHeight, drawDotPanel } from "./dot-panel.ts";
import { drawLinePanel, linePanelHeight } from "./line-panel.ts";
import { coloursOf, INK, MARGIN, PAPER, PICTURE_WIDTH, seriesOf, SIZES, SOFT_INK } from "./look.ts";
import type { Paint } from "./panel-frame.ts";
import { at, escaped, textAt, type TextStyle, widthOf, wrapped } from "./text.ts";

const INNER_WIDTH = PICTURE_WIDTH - 2 * MARGIN;
const COLUMN_GAP = 36;
const ROW_GAP = 26;
const SWATCH = 13;
const LEGEND_LINE = 24;
/** Fonts that viewers have are as wide as that of the PNGs, or narrower. */
const FONTS = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

interface Block {
  readonly lines: string[];
  readonly bottom: number;
}

/**
 * @param provenance - Machine, versions and command: what a figure is worth nothing without.
 * @returns a document of its own, about 1,000 units wide, without scripts and style sheets.
 */
export function svgOf(drawing: Drawing, provenance: readonly string[]): string {
  const colours = coloursOf(drawing);
  const head = headOf(drawing, provenance);
  const legend = legendOf(drawing, colours, head.bottom);
  const panels = panelsOf(drawing, colours, legend.bottom);
  const notes = paragraphs(drawing.notes ?? [], panels.bottom, {
    size: SIZES.tick,
    colour: SOFT_INK,
  });
  const height = Math.ceil(notes.bottom + MARGIN / 2);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${PICTURE_WIDTH} ${height}"` +
      ` width="${PICTURE_WIDTH}" height="${height}" font-family="${FONTS}">`,
    `<title>${escaped(drawing.title)}</title>`,
    `<rect width="${PICTURE_WIDTH}" height="${height}" fill="${PAPER}"/>`,
    ...head.lines,
    ...legend.lines,
    ...panels.lines,
    ...notes.lines,
    "</svg>\n",
  ].join("\n");
}

function headOf({ title, lead }: Drawing, provenance: readonly string[]): Block {
  const titled = wrapped(title, SIZES.title, INNER_WIDTH, true).map((line, i) => {
    const place = { x: MARGIN, y: MARGIN + 10 + i * 30 };
    return textAt(place, line, { size: SIZES.title, colour: INK, isBold: true });
  });
  const start = MARGIN + titled.length * 30;
  const led = paragraphs(lead === undefined ? [] : [lead], start, {
    size: SIZES.lead,
    colour: INK,
  });
  const told = paragraphs(provenance, led.bottom, { size: SIZES.tick, colour: SOFT_INK });
  return { lines: [...titled, ...led.lines, ...told.lines], bottom: told.bottom };
}

function paragraphs(texts: readonly string[], top: number, style: TextStyle): Block {
  const pitch = style.size + 6;
  const lines = texts.flatMap((text) => wrapped(text, style.size, INNER_WIDTH));
  const drawn = lines.map((line, i) =>
    textAt({ x: MARGIN, y: top + pitch * (i + 0.5) }, line, style),
  );
  return { lines: drawn, bottom: top + pitch * lines.length + (lines.length > 0 ? 6 : 0) };
}

function legendOf(drawing: Drawing, colours: ReadonlyMap<string, string>, top: number): Block {
  const used = new Set(drawing.panels.flatMap(seriesOf));
  if (!(drawing.hasLegend ?? used.size > 1)) return { lines: [], bottom: top + 14 };
  const lines: string[] = [];
  let [x, y] = [MARGIN, top + 14];
  for (const [name, colour] of colours) {
    if (!used.has(name)) continue;
    const width = SWATCH + 7 + widthOf(name, SIZES.label) + 22;
    if (x > MARGIN && x + width > PICTURE_WIDTH - MARGIN) [x, y] = [MARGIN, y + LEGEND_LINE];
    const place = `x="${at(x)}" y="${at(y - SWATCH / 2)}"`;
    lines.push(
      `<rect ${place} width="${SWATCH}" height="${SWATCH}" rx="2.5" fill="${colour}"/>`,
      textAt({ x: x + SWATCH + 7, y }, name, { size: SIZES.label, colour: INK }),
    );
    x += width;
  }
  return { lines, bottom: y + 24 };
}

function panelsOf(drawing: Drawing, colours: ReadonlyMap<string, string>, top: number): Block {
  const columns = Math.max(1, drawing.columns ?? 1);
  const width = (INNER_WIDTH - COLUMN_GAP * (columns - 1)) / columns;
  const lines: string[] = [];
  let y = top;
  for (let i = 0; i < drawing.panels.length; i += columns) {
    const row = drawing.panels.slice(i, i + columns);
    const height = Math.max(...row.map((panel) => heightOf(panel, width)));
    for (const [column, panel] of row.entries()) {
      const x = MARGIN + column * (width + COLUMN_GAP);
      lines.push("<g>", ...drawPanel(panel, { box: { x, y, width, height }, colours }), "</g>");
    }
    y += height + ROW_GAP;
  }
  return { lines, bottom: y - ROW_GAP + 12 };
}

function heightOf(panel: Panel, width: number): number {
  switch (panel.kind) {
    case "bars":
      return barPanelHeight(panel, width);
    case "lines":
      return linePanelHeight(panel);
    case "dots":
      return dotPanelHeight(panel);
    default:
      return unreachable(panel);
  }
}

function drawPanel(panel: Panel, paint: Paint): string[] {
  switch (panel.kind) {
    case "bars":
      return drawBarPanel(panel, paint);
    case "lines":
      return drawLinePanel(panel, paint);
    case "dots":
      return drawDotPanel(panel, paint);
    default:
      return unreachable(panel);
  }
}
