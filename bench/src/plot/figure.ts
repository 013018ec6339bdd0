/** Numbers as pictures print them: three digits that count, and a letter for what is large. */

const LETTERS = [
  { from: 1e9, letter: " G" },
  { from: 1e6, letter: " M" },
  { from: 1e4, letter: " k" },
];
const DIGITS = 3;

/** As in 0.71, 5.4, 142, 1,430, 98.2 k and 1.2 M; `-` of what is not finite. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value === 0) return "0";
  const size = Math.abs(value);
  // What is rounded up to 10,000 has its letter, too.
  const unit = LETTERS.find(({ from }) => Number(size.toPrecision(DIGITS)) >= from);
  if (unit === undefined) return digitsOf(value);
  const per = unit.from === 1e4 ? 1e3 : unit.from;
  return `${digitsOf(value / per)}${unit.letter}`;
}

function digitsOf(value: number): string {
  const rounded = Number(value.toPrecision(DIGITS));
  const size = Math.abs(rounded);
  if (size >= 1_000) return rounded.toLocaleString("en-US");
  // Plain digits: an exponent is read by few.
  return size >= 1e-6 ? String(rounded) : rounded.toExponential(1);
}
