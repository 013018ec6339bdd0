/** Elements of the page. Texts become text nodes: nothing of a history is ever read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Readonly<Record<string, number | string>>;
type Child = Node | string;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), attributes, children);
}

export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** A table whose cells are texts or elements; `numbers` tells which columns hold figures. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly Child[])[],
  numbers: ReadonlySet<number>,
): HTMLElement {
  const cell = (tag: "td" | "th", child: Child, column: number): HTMLElement =>
    element(tag, numbers.has(column) ? { class: "number" } : {}, child);
  const head = titles.map((title, column) => cell("th", title, column));
  const body = rows.map((row) =>
    element("tr", {}, ...row.map((child, column) => cell("td", child, column))),
  );
  return element(
    "div",
    { class: "scroll" },
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...body),
    ),
  );
}
