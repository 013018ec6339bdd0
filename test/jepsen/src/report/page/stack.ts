/**
 * Charts above each other, which show the same part of the run: what is pointed at, a line through
 * all of them, and a part that is marked to be looked at.
 */

import type { Chart } from "./chart.ts";
import { element } from "./element.ts";
import { durationText, momentText } from "./quantity.ts";
import { TimeScale } from "./time-scale.ts";
import type { TimeWindow } from "./time-window.ts";

/** Pixels: whoever moves less has clicked. */
const MARKED_MIN = 5;
const ZOOM = 1.25;
const PAN = 0.25;

export class Stack {
  readonly root: HTMLElement;
  readonly #charts: readonly Chart[];
  readonly #window: TimeWindow;
  readonly #line: HTMLElement = element("div", { class: "pointed" });
  readonly #marked: HTMLElement = element("div", { class: "marked" });
  readonly #tip: HTMLElement = element("div", { class: "tip", role: "status" });
  #scale: TimeScale;
  #markedFrom: number | undefined;
  #isDrawing = false;

  constructor(charts: readonly Chart[], window: TimeWindow) {
    this.#charts = charts;
    this.#window = window;
    this.#scale = new TimeScale(window, 0);
    this.root = element(
      "div",
      { class: "stack", tabindex: 0, "aria-label": "Charts of the run: + and - zoom, arrows move" },
      ...charts.map(({ root }) => root),
      this.#marked,
      this.#line,
      this.#tip,
    );
    this.#listen();
    window.onChange(() => {
      this.redraw();
    });
    new ResizeObserver(() => {
      this.redraw();
    }).observe(this.root);
  }

  /** With the next frame. */
  redraw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      const width = this.root.clientWidth;
      // A stack that is not on the page now has no width.
      if (width === 0) return;
      this.#scale = new TimeScale(this.#window, width);
      for (const chart of this.#charts) chart.draw(this.#scale);
    });
  }

  #listen(): void {
    const { root } = this;
    root.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#markedFrom = this.#xOf(event);
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => {
      this.#onMove(event);
    });
    root.addEventListener("pointerup", (event) => {
      this.#onUp(event);
    });
    root.addEventListener("pointerleave", () => {
      this.#hide();
    });
    root.addEventListener("dblclick", () => {
      this.#window.showAll();
    });
    root.addEventListener(
      "wheel",
      (event) => {
        // A plain wheel moves the page, as everywhere.
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.#window.zoom(event.deltaY > 0 ? ZOOM : 1 / ZOOM, this.#scale.ns(this.#xOf(event)));
      },
      { passive: false },
    );
    root.addEventListener("keydown", (event) => {
      if (this.#onKey(event.key)) event.preventDefault();
    });
  }

  #onKey(key: string): boolean {
    if (key === "+" || key === "=") this.#window.zoom(1 / ZOOM);
    else if (key === "-") this.#window.zoom(ZOOM);
    else if (key === "ArrowLeft") this.#window.pan(-PAN);
    else if (key === "ArrowRight") this.#window.pan(PAN);
    else if (key === "0" || key === "Escape") this.#window.showAll();
    else return false;
    return true;
  }

  #onMove(event: PointerEvent): void {
    const x = this.#xOf(event);
    if (this.#markedFrom !== undefined) {
      const left = Math.min(x, this.#markedFrom);
      const width = Math.abs(x - this.#markedFrom);
      place(this.#marked, { left, width });
    }
    const isInside = x >= this.#scale.left && x <= this.#scale.right;
    if (isInside) place(this.#line, { left: x, width: 1 });
    else hide(this.#line);
    this.#showTip(event, isInside);
  }

  #showTip(event: PointerEvent, isInside: boolean): void {
    const chart = this.#charts.find(({ plot }) => isWithin(plot.getBoundingClientRect(), event));
    const box = chart?.plot.getBoundingClientRect();
    const x = this.#xOf(event);
    const found =
      box === undefined || !isInside
        ? undefined
        : chart?.lookUp(this.#scale, x, event.clientY - box.top);
    if (!isInside || chart === undefined) {
      hide(this.#tip);
      return;
    }
    const moment = momentText(this.#scale.ns(x), this.#scale.nsPerPixel);
    const lines = [...(found ?? []), moment];
    this.#tip.replaceChildren(...lines.map((line) => element("div", {}, line)));
    this.#tip.style.display = "block";
    const frame = this.root.getBoundingClientRect();
    const width = this.#tip.offsetWidth;
    const left = x + 16 + width > frame.width ? x - width - 12 : x + 16;
    this.#tip.style.left = `${Math.max(0, left)}px`;
    this.#tip.style.top = `${event.clientY - frame.top + 14}px`;
  }

  #onUp(event: PointerEvent): void {
    const from = this.#markedFrom;
    this.#markedFrom = undefined;
    hide(this.#marked);
    const to = this.#xOf(event);
    if (from === undefined || Math.abs(to - from) < MARKED_MIN) return;
    this.#window.show(this.#scale.ns(from), this.#scale.ns(to));
  }

  #hide(): void {
    hide(this.#line);
    hide(this.#tip);
  }

  #xOf(event: MouseEvent): number {
    return event.clientX - this.root.getBoundingClientRect().left;
  }
}

/** What moves the window by buttons, and says what it shows. */
export function windowControls(window: TimeWindow): HTMLElement {
  const shown = element("output", { class: "muted" });
  const tell = (): void => {
    const { beginNs, endNs, lengthNs, wholeNs } = window;
    const step = lengthNs / 100;
    shown.textContent =
      lengthNs >= wholeNs
        ? `the whole run, ${durationText(wholeNs)}`
        : `${momentText(beginNs, step)} to ${momentText(endNs, step)}: ${durationText(lengthNs)}`;
  };
  window.onChange(tell);
  tell();
  return element(
    "div",
    { class: "controls" },
    button("◀", "Earlier", () => {
      window.pan(-PAN);
    }),
    button("▶", "Later", () => {
      window.pan(PAN);
    }),
    button("+", "Closer", () => {
      window.zoom(1 / ZOOM / ZOOM);
    }),
    button("−", "Further away", () => {
      window.zoom(ZOOM * ZOOM);
    }),
    button("Whole run", "Everything", () => {
      window.showAll();
    }),
    shown,
    element("span", { class: "muted hint" }, "drag to look closer, double-click for the whole run"),
  );
}

function button(text: string, title: string, act: () => void): HTMLElement {
  const made = element("button", { type: "button", title }, text);
  made.addEventListener("click", act);
  return made;
}

function isWithin(box: DOMRect, { clientX, clientY }: MouseEvent): boolean {
  return clientX >= box.left && clientX < box.right && clientY >= box.top && clientY < box.bottom;
}

function place(
  overlay: HTMLElement,
  { left, width }: { readonly left: number; readonly width: number },
): void {
  overlay.style.display = "block";
  overlay.style.left = `${left}px`;
  overlay.style.width = `${width}px`;
}

function hide(overlay: HTMLElement): void {
  overlay.style.display = "none";
}
