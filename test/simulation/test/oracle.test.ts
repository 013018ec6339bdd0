// Goal: each check on what clients see can fail.
// Method: feed broken histories to the oracle by hand.
import { expect, test } from "vitest";
import { encodeCommand } from "../src/node/command.ts";
import { broken } from "./broken.ts";
import { LedgerFixture } from "./ledger-fixture.ts";

test("a sound history passes", () => {
  const fixture = new LedgerFixture();
  const { ledger, oracle } = fixture;
  const { operation, index } = fixture.commitWrite(1, 1);
  oracle.onWriteAcknowledged(operation, { index, previous: 0 });

  const read = { key: 0, floor: oracle.floor, value: operation.value, index };
  expect(broken(() => oracle.onReadAcknowledged(read))).toBeUndefined();
  expect(broken(() => oracle.checkDurability(ledger.committedIndex))).toBeUndefined();
});

test("a stale read", () => {
  const fixture = new LedgerFixture();
  const { operation, index } = fixture.commitWrite(1, 1);
  fixture.oracle.onWriteAcknowledged(operation, { index, previous: 0 });

  const read = { key: 0, floor: fixture.oracle.floor, value: 0, index: index - 1 };
  expect(broken(() => fixture.oracle.onReadAcknowledged(read))).toBe("a read is not stale");
});

test("a read of what was never written", () => {
  const fixture = new LedgerFixture();
  const { index } = fixture.commitWrite(1, 1);

  const read = { key: 0, floor: 0, value: 99, index };
  expect(broken(() => fixture.oracle.onReadAcknowledged(read))).toBe(
    "a read returns what was written last",
  );
});

test("a read of what is not committed", () => {
  const fixture = new LedgerFixture();
  const index = fixture.ledger.committedIndex + 1;

  expect(
    broken(() => fixture.oracle.onReadAcknowledged({ key: 0, floor: 0, value: 0, index })),
  ).toBe("a read sees only what is committed");
});

test("an acknowledgement of a write that is not committed", () => {
  const fixture = new LedgerFixture();
  const operation = fixture.oracle.invokeWrite({ client: 1, serial: 1, key: 0 });

  expect(
    broken(() => fixture.oracle.onWriteAcknowledged(operation, { index: 2, previous: 0 })),
  ).toBe("acknowledged but not committed");
});

test("an acknowledgement with another predecessor than the log has", () => {
  const fixture = new LedgerFixture();
  fixture.commitWrite(1, 1);
  const { operation, index } = fixture.commitWrite(2, 1);

  expect(broken(() => fixture.oracle.onWriteAcknowledged(operation, { index, previous: 0 }))).toBe(
    "an acknowledgement tells the truth",
  );
});

test("an acknowledged write that the survivors do not have", () => {
  const fixture = new LedgerFixture();
  const { operation, index } = fixture.commitWrite(1, 1);
  fixture.oracle.onWriteAcknowledged(operation, { index, previous: 0 });

  expect(broken(() => fixture.oracle.checkDurability(index - 1))).toBe(
    "an acknowledged write is never lost",
  );
});

test("a phantom write", () => {
  const fixture = new LedgerFixture();
  const command = { client: 1, serial: 1, key: 0, value: 7, attempt: 999 };
  const data = encodeCommand(command, 0);

  expect(broken(() => fixture.ledger.commit({ term: 2, index: 2, kind: "normal", data }, 2))).toBe(
    "phantom write",
  );
});

test("a refused write that takes effect all the same", () => {
  const fixture = new LedgerFixture();
  const operation = fixture.oracle.invokeWrite({ client: 1, serial: 1, key: 0 });
  const entry = fixture.propose(operation);
  fixture.oracle.onRefused(1);

  expect(broken(() => fixture.ledger.commit(entry, 2))).toBe("a refused write has no effect");
});

test("one proposal at two places of the log", () => {
  const fixture = new LedgerFixture();
  const operation = fixture.oracle.invokeWrite({ client: 1, serial: 1, key: 0 });
  const entry = fixture.propose(operation);
  fixture.ledger.commit(entry, 2);

  expect(broken(() => fixture.ledger.commit({ ...entry, index: entry.index + 1 }, 2))).toBe(
    "a proposal has one place in the log",
  );
});

test("a proposal that stands elsewhere than its leader said", () => {
  const fixture = new LedgerFixture();
  const operation = fixture.oracle.invokeWrite({ client: 1, serial: 1, key: 0 });
  const entry = fixture.propose(operation);

  expect(broken(() => fixture.ledger.commit({ ...entry, term: 3 }, 3))).toBe(
    "a proposal stands where its leader said",
  );
});

test("a retry of an ambiguous write takes effect once", () => {
  const fixture = new LedgerFixture();
  const operation = fixture.oracle.invokeWrite({ client: 1, serial: 1, key: 0 });
  fixture.ledger.commit(fixture.propose(operation), 2);
  fixture.ledger.commit(fixture.propose(operation), 2);

  expect(fixture.ledger.valueAt(0, 3)).toBe(operation.value);
  expect(
    broken(() => fixture.oracle.onWriteAcknowledged(operation, { index: 2, previous: 0 })),
  ).toBeUndefined();
});
