/** Things in the order of their time; those of one time, in the order in which they were put in. */

interface Timed<T> {
  readonly at: number;
  readonly sequence: number;
  readonly item: T;
}

export class TimeQueue<T> {
  #sequence = 0;
  /** A binary heap: each is due no later than its two children. */
  readonly #heap: Timed<T>[] = [];

  put(at: number, item: T): void {
    this.#heap.push({ at, sequence: this.#sequence, item });
    this.#sequence += 1;
    this.#siftUp(this.#heap.length - 1);
  }

  /** The first one, which stays. */
  peek(): { readonly at: number; readonly item: T } | undefined {
    return this.#heap[0];
  }

  /** The first one, which goes. */
  take(): { readonly at: number; readonly item: T } | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#siftDown();
    }
    return first;
  }

  #siftUp(start: number): void {
    const heap = this.#heap;
    let child = start;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child] as Timed<T>, heap[parent] as Timed<T>)) return;
      swap(heap, child, parent);
      child = parent;
    }
  }

  #siftDown(): void {
    const heap = this.#heap;
    let parent = 0;
    for (;;) {
      const left = parent * 2 + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const isRight =
        right < heap.length && isBefore(heap[right] as Timed<T>, heap[left] as Timed<T>);
      const child = isRight ? right : left;
      if (!isBefore(heap[child] as Timed<T>, heap[parent] as Timed<T>)) return;
      swap(heap, child, parent);
      parent = child;
    }
  }
}

function isBefore<T>(left: Timed<T>, right: Timed<T>): boolean {
  return left.at < right.at || (left.at === right.at && left.sequence < right.sequence);
}

function swap<T>(heap: Timed<T>[], i: number, j: number): void {
  const held = heap[i] as Timed<T>;
  heap[i] = heap[j] as Timed<T>;
  heap[j] = held;
}
