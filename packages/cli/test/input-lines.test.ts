// Goal: what is read line by line arrives as the bytes it was, and no input makes a process grow.
// Method: streams of chunks, cut at every place.
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { InputError, inputLines } from "../src/input-lines.ts";

const NEVER = new AbortController().signal;

interface Read {
  readonly lines: string[];
  readonly error: unknown;
}

/** Each byte as a character, so that nothing is made of them. */
async function linesOf(input: Readable, bytesMax = 100, signal = NEVER): Promise<Read> {
  const lines: string[] = [];
  try {
    for await (const some of inputLines(input, { bytesMax, signal }))
      lines.push(...some.map((line) => line.toString("latin1")));
    return { lines, error: undefined };
  } catch (error) {
    return { lines, error };
  }
}

function inChunks(text: string, bytes: number): Readable {
  const all = Buffer.from(text, "latin1");
  const count = Math.ceil(all.length / bytes);
  const chunks = Array.from({ length: count }, (_, i) => all.subarray(i * bytes, (i + 1) * bytes));
  return Readable.from(chunks, { objectMode: false });
}

function* failingChunks(): Generator<Buffer, void, void> {
  yield Buffer.from("first\nsec");
  throw new Error("EIO: i/o error, read");
}

test("lines are what is between newlines, however they arrive", async () => {
  const line = "\xff\x00\xc3 \u0085\r\xe2\x80\xa8{}";
  for (let bytes = 1; bytes <= 40; bytes++) {
    const read = await linesOf(inChunks(`a\n\n${line}\nwindows\r\n\r\nlast`, bytes));
    expect(read).toEqual({ lines: ["a", "", line, "windows", "", "last"], error: undefined });
  }
  expect(await linesOf(inChunks("a\n", 1))).toMatchObject({ lines: ["a"] });
  expect(await linesOf(inChunks("", 1))).toMatchObject({ lines: [] });
});

test("a line that does not end is not waited for", async () => {
  let produced = 0;
  const endless = Readable.from(
    (function* chunks() {
      yield Buffer.from("first\n");
      for (;;) {
        produced += 10;
        yield Buffer.from("0123456789");
      }
    })(),
    { objectMode: false, highWaterMark: 10 },
  );
  const { lines, error } = await linesOf(endless);
  expect(lines).toEqual(["first"]);
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toBe("line 2 is longer than 100 bytes");
  expect(produced).toBeLessThan(1_000);

  const whole = await linesOf(inChunks(`first\n${"x".repeat(101)}\nthird\n`, 1_000));
  expect(whole.lines).toEqual(["first"]);
  expect((whole.error as Error).message).toBe("line 2 is longer than 100 bytes");
});

test("an input that fails says so, behind what came before; an interrupt ends it", async () => {
  const failing = Readable.from(failingChunks(), { objectMode: false });
  const { lines, error } = await linesOf(failing);
  expect(lines).toEqual(["first"]);
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toBe("it cannot be read: EIO: i/o error, read");

  const silent = new Readable({ read: () => undefined });
  const controller = new AbortController();
  const reading = linesOf(silent, 100, controller.signal);
  controller.abort();
  expect(await reading).toEqual({ lines: [], error: undefined });
  expect(silent.destroyed).toBe(true);
});
